//! The name of the licence in a model folder.

/// The possible names of a licence file.
const LICENCE_FILES: [&str; 3] = ["LICENSE", "LICENSE.md", "LICENSE.txt"];

/// The most bytes of the name of a licence. It is stored in each picture.
const MAX_LENGTH: usize = 200;

/// The licence that a model names: the `license` in the front matter of its model card (`README.md`),
/// otherwise the first line of its licence file. A long one is cut. `read` returns a text file of the model.
pub(in crate::model) fn licence(read: impl Fn(&str) -> Option<String>) -> Option<String> {
    let card = read("README.md");
    let licence = card.as_deref().and_then(licence_in_card).or_else(|| {
        LICENCE_FILES.iter().find_map(|name| {
            let text = read(name)?;
            let first = text.lines().map(str::trim).find(|line| !line.is_empty())?;
            Some(first.trim_start_matches('#').trim().to_owned())
        })
    })?;
    match licence.floor_char_boundary(MAX_LENGTH) {
        end if end < licence.len() => Some(format!("{}…", &licence[..end])),
        _ => Some(licence),
    }
}

/// The `license` in the YAML between the first two `---` of a model card. If it is `other`, the
/// name is in `license_name`.
fn licence_in_card(card: &str) -> Option<String> {
    let mut lines = card.lines();
    if lines.next()?.trim() != "---" {
        return None;
    }
    let head: Vec<&str> = lines.take_while(|line| line.trim() != "---").collect();
    let value = |key: &str| {
        head.iter().find_map(|line| {
            let value = line.strip_prefix(key)?.strip_prefix(':')?.trim();
            let value = value.trim_matches(['"', '\'']);
            (!value.is_empty()).then(|| value.to_owned())
        })
    };
    match value("license").as_deref() {
        Some("other") => value("license_name").or_else(|| Some("other".to_owned())),
        licence => licence.map(str::to_owned),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_model_card_names_the_licence_in_its_front_matter() {
        let card = "---\nlicense: creativeml-openrail-m\ntags:\n- art\n---\nlicense: wrong";
        assert_eq!(licence_in_card(card).as_deref(), Some("creativeml-openrail-m"));
        let named = "---\nlicense: other\nlicense_name: 'stabilityai-community'\n---\n";
        assert_eq!(licence_in_card(named).as_deref(), Some("stabilityai-community"));
        assert_eq!(licence_in_card("# A model\nlicense: mit"), None);
    }

    #[test]
    fn a_licence_file_names_the_licence_if_the_card_does_not() {
        let read = |name: &str| (name == "LICENSE").then(|| "\n# MIT License\n\nText".to_owned());
        assert_eq!(licence(read).as_deref(), Some("MIT License"));
    }

    #[test]
    fn a_long_licence_is_cut() {
        let card = format!("---\nlicense: {}\n---\n", "ä".repeat(MAX_LENGTH));
        let expected = format!("{}…", "ä".repeat(MAX_LENGTH / 2));
        assert_eq!(licence(|_| Some(card.clone())), Some(expected));
    }
}
