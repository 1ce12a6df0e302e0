//! What a model file or folder is, the model that ships with the crate, and the download of others.

#[cfg(feature = "hub")]
pub mod hub;
pub mod inspect;

use std::{fs, path::Path};

/// The licence that a model folder names: the `license` in the head of its `README.md` (a model card),
/// else the first line of its licence file.
#[must_use]
pub fn licence(folder: &Path) -> Option<String> {
    let card = fs::read_to_string(folder.join("README.md")).ok();
    let named = card.as_deref().and_then(licence_in_card);
    named.or_else(|| {
        ["LICENSE", "LICENSE.md", "LICENSE.txt"].iter().find_map(|name| {
            let text = fs::read_to_string(folder.join(name)).ok()?;
            let first = text.lines().map(str::trim).find(|line| !line.is_empty())?;
            Some(first.trim_start_matches('#').trim().to_owned())
        })
    })
}

/// The `license` of a model card: a line of the YAML between the first two `---`. A card that says
/// `other` names it in `license_name`.
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
    use super::licence_in_card;

    #[test]
    fn the_licence_stands_in_the_head_of_the_model_card() {
        let card = "---\nlicense: creativeml-openrail-m\ntags:\n- art\n---\nlicense: wrong";
        assert_eq!(licence_in_card(card).as_deref(), Some("creativeml-openrail-m"));
        let named = "---\nlicense: other\nlicense_name: 'stabilityai-community'\n---\n";
        assert_eq!(licence_in_card(named).as_deref(), Some("stabilityai-community"));
        assert_eq!(licence_in_card("# A model\nlicense: mit"), None);
    }
}
