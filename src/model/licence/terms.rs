//! What known licences of models allow to do with pictures.

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

/// What a licence of a model allows to do with its pictures. This is a hint: the text of the licence counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Terms {
    /// The names of the licence, as models give them.
    pub names: Vec<String>,
    /// Whether pictures may be sold, also as a part of a game.
    pub sale: Sale,
    /// What else matters to an author.
    pub note: String,
}

/// Whether pictures may be sold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sale {
    /// Yes.
    Allowed,
    /// Under conditions.
    Limited,
    /// No.
    Forbidden,
}

static LICENCES: LazyLock<Vec<Terms>> = LazyLock::new(|| {
    // A test reads the file.
    ron::from_str(include_str!("../../../assets/models/licences.ron")).unwrap_or_default()
});

impl Terms {
    /// The terms of the licence with this name, such as `creativeml-openrail-m` or `MIT License`. `None` if it is unknown.
    #[must_use]
    pub fn of(licence: &str) -> Option<&'static Self> {
        let searched = normalized(licence);
        let has_name = |terms: &&Self| terms.names.iter().any(|it| normalized(it) == searched);
        LICENCES.iter().find(has_name)
    }
}

impl Sale {
    /// The display text.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Allowed => "pictures may be sold",
            Self::Limited => "pictures may be sold under conditions",
            Self::Forbidden => "pictures may not be sold",
        }
    }
}

/// The letters, digits and plus signs of a name, without the word "license".
fn normalized(name: &str) -> String {
    let name: String =
        name.to_lowercase().chars().filter(|it| it.is_alphanumeric() || *it == '+').collect();
    let stripped = ["license", "licence"].iter().find_map(|word| name.strip_suffix(word));
    stripped.map_or(name.clone(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_of_licences_is_valid_and_names_each_licence_once() {
        let licences: Vec<Terms> =
            ron::from_str(include_str!("../../../assets/models/licences.ron")).unwrap();
        let mut names: Vec<_> =
            licences.iter().flat_map(|it| &it.names).map(|name| normalized(name)).collect();
        let count = names.len();
        assert!(count > 10);
        names.sort();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn a_licence_is_found_under_the_spellings_of_model_cards_and_licence_files() {
        for (name, sale) in [
            ("creativeml-openrail-m", Sale::Allowed),
            ("CreativeML Open RAIL++-M License", Sale::Allowed),
            ("MIT License", Sale::Allowed),
            ("apache-2.0", Sale::Allowed),
            ("stabilityai-ai-community", Sale::Limited),
            ("cc-by-nc-4.0", Sale::Forbidden),
        ] {
            assert_eq!(Terms::of(name).map(|terms| terms.sale), Some(sale), "{name}");
        }
        assert_eq!(Terms::of("other"), None);
        // "MIT" is a part of this word.
        assert_eq!(Terms::of("unlimited"), None);
    }
}
