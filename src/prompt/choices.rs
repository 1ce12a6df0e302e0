//! Choices in prompts: `{red|blue}`.

use std::collections::HashMap;

/// Replaces each choice with one of its options. A choice may contain others.
///
/// The same choice and seed always give the same option, whatever else the prompt contains; a second `{red|blue}` in the
/// prompt is chosen independently. Braces without `|`, unpaired ones, and those after `\` are ordinary characters.
#[must_use]
pub fn chosen(prompt: &str, seed: u64) -> String {
    /// An opened brace, by positions in the output.
    struct Open {
        at: usize,
        separators: Vec<usize>,
    }
    let mut output = String::with_capacity(prompt.len());
    let mut open = Vec::<Open>::new();
    let mut seen = HashMap::<String, u64>::new();
    let mut characters = prompt.chars();
    while let Some(c) = characters.next() {
        let at = output.len();
        output.push(c);
        match (c, open.last_mut()) {
            ('\\', _) => output.extend(characters.next()),
            ('{', _) => open.push(Open { at, separators: Vec::new() }),
            ('|', Some(choice)) => choice.separators.push(at),
            ('}', Some(_)) => {
                let Some(Open { at: start, separators }) = open.pop() else { continue };
                if separators.is_empty() {
                    continue;
                }
                let choice = output.split_off(start);
                let occurrence = seen.entry(choice.clone()).or_default();
                let index = index_of(&choice, *occurrence, seed, separators.len() + 1);
                *occurrence += 1;
                let bound =
                    |index: usize| separators.get(index).map_or(choice.len() - 1, |at| at - start);
                let first = index.checked_sub(1).map_or(1, |before| bound(before) + 1);
                output.push_str(&choice[first..bound(index)]);
            }
            _ => {}
        }
    }
    output
}

/// The index of the chosen option.
fn index_of(choice: &str, occurrence: u64, seed: u64, options: usize) -> usize {
    let mut hash = blake3::Hasher::new();
    hash.update(&seed.to_le_bytes()).update(&occurrence.to_le_bytes()).update(choice.as_bytes());
    let mut bytes = [0; 8];
    hash.finalize_xof().fill(&mut bytes);
    // The upper half of the product is below the number of options.
    ((u128::from(u64::from_le_bytes(bytes)) * options as u128) >> 64) as usize
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_option_is_chosen_as_often_as_the_others() {
        let mut counts = BTreeMap::new();
        for seed in 0..3000 {
            *counts.entry(chosen("a {red|deep blue|} coat", seed)).or_insert(0) += 1;
        }
        let options: Vec<_> = counts.keys().map(String::as_str).collect();
        assert_eq!(options, ["a  coat", "a deep blue coat", "a red coat"]);
        assert!(counts.values().all(|count| (900..1100).contains(count)), "{counts:?}");
    }

    #[test]
    fn a_choice_depends_on_its_seed_and_not_on_the_words_around_it() {
        for seed in 0..20 {
            let coat = chosen("{red|blue} coat", seed);
            assert_eq!(
                chosen("{big|small} {red|blue} coat", seed).split_once(' ').unwrap().1,
                coat
            );
        }
        let differ = |seed| {
            let both = chosen("{red|blue}, {red|blue}", seed);
            let (first, second) = both.split_once(", ").unwrap();
            first != second
        };
        assert!((0..20).any(differ) && !(0..20).all(differ), "the second choice is independent");
    }

    #[test]
    fn choices_contain_choices_and_other_braces_are_ordinary_characters() {
        let found = |text| {
            (0..50).map(|seed| chosen(text, seed)).collect::<std::collections::BTreeSet<_>>()
        };
        assert_eq!(Vec::from_iter(found("{a|{b|c} d}")), ["a", "b d", "c d"]);
        for plain in ["", "{prompt}", "a | b", "{a", "a}|{", r"\{a|b}", r"{a\|b}", "\\"] {
            assert_eq!(Vec::from_iter(found(plain)), [plain]);
        }
        assert_eq!(Vec::from_iter(found(r"{a\}|b}")), [r"a\}", "b"]);
    }

    proptest! {
        #[test]
        fn a_chosen_prompt_has_no_choices_left(prompt in r"[a{}|\\é]{0,30}", seed: u64) {
            let once = chosen(&prompt, seed);
            prop_assert!(once.len() <= prompt.len());
            prop_assert_eq!(chosen(&once, seed ^ 1), once);
        }
    }
}
