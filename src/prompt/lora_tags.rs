//! LoRAs in prompts: `<lora:name:0.8>`.

/// How a LoRA in a prompt begins and ends.
const START: &str = "<lora:";
const END: char = '>';

/// A LoRA that a prompt names.
#[derive(Clone, Debug, PartialEq)]
pub struct LoraTag {
    /// The name of the file without its extension, or its path.
    pub name: String,
    /// How much of its change is applied.
    pub weight: f32,
}

/// The prompt without `<lora:name>` and `<lora:name:0.8>`, and these LoRAs. Other text in angle brackets stays.
#[must_use]
pub fn split_lora_tags(prompt: &str) -> (String, Vec<LoraTag>) {
    let mut words = String::with_capacity(prompt.len());
    let mut tags = Vec::new();
    let mut rest = prompt;
    while let Some((before, after)) = rest.split_once(START) {
        let parsed = after.split_once(END).and_then(|(inner, after)| Some((tag(inner)?, after)));
        words.push_str(before);
        match parsed {
            Some((tag, after)) => {
                tags.push(tag);
                rest = after;
            }
            None => {
                words.push_str(START);
                rest = after;
            }
        }
    }
    words.push_str(rest);
    (words, tags)
}

/// The LoRA of the text between `<lora:` and `>`.
fn tag(inner: &str) -> Option<LoraTag> {
    // The path of a file may contain a colon, as on Windows.
    let (name, weight) = match inner.rsplit_once(':') {
        Some((name, weight)) => {
            (name, weight.trim().parse().ok().filter(|it: &f32| it.is_finite())?)
        }
        None => (inner, 1.0),
    };
    let name = name.trim();
    let is_name = !name.is_empty() && !name.contains(['<', '\n']);
    is_name.then(|| LoraTag { name: name.to_owned(), weight })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn loras_are_taken_out_of_a_prompt_and_other_text_stays() {
        let tag = |name: &str, weight| LoraTag { name: name.to_owned(), weight };
        for (prompt, words, tags) in [
            ("ink <lora:ink-v2:0.8>, a fox", "ink , a fox", vec![tag("ink-v2", 0.8)]),
            ("<lora:a><lora: b :-1>", "", vec![tag("a", 1.0), tag("b", -1.0)]),
            ("<lora:C:/loras/a.safetensors:0.5>", "", vec![tag("C:/loras/a.safetensors", 0.5)]),
            ("<lora:a:x> <lora::1> <lora:a", "<lora:a:x> <lora::1> <lora:a", vec![]),
            ("a < b <lyco:a:1>", "a < b <lyco:a:1>", vec![]),
            ("<lora:<lora:a:1>", "<lora:", vec![tag("a", 1.0)]),
        ] {
            assert_eq!(split_lora_tags(prompt), (words.to_owned(), tags), "{prompt}");
        }
    }

    proptest! {
        #[test]
        fn nothing_but_loras_is_lost(prompt in r"(<lora:|>|a|:1|é| ){0,12}") {
            let (words, tags) = split_lora_tags(&prompt);
            prop_assert!(words.len() <= prompt.len());
            if tags.is_empty() {
                prop_assert_eq!(words, prompt);
            }
        }
    }
}
