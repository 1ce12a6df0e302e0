//! Names and seeds of shots. They depend only on what a shot shows, and stay the same when scenes are moved or lines
//! inserted.
//!
//! A name consists of the kind of the shot and the parts that distinguish it from others of that kind:
//! `background-studio-at_night-in_the_rain`. Different parts never have the same name, not even on file systems that
//! ignore case: if lower-case words cannot represent the parts exactly (`At night!`), a hash of the parts is appended.

use super::{ShotId, ShotKind};
use crate::{
    story::check::is_id,
    text::{folded, is_letter},
};

/// The length in bytes above which a name is truncated and gets a hash.
const LONGEST: usize = 90;

/// A builder for the name of a shot.
pub(super) struct Name {
    text: String,
    /// The hash of the parts, appended if the text is not exact.
    key: blake3::Hasher,
    /// Whether the text determines the parts.
    exact: bool,
    /// The number of empty parts since the last one with text. They are written only if another part follows.
    blanks: usize,
}

impl Name {
    /// The name of a shot of this kind, without parts.
    pub fn new(kind: ShotKind) -> Self {
        let (text, key) = (kind.name().to_owned(), blake3::Hasher::new());
        Self { text, key, exact: true, blanks: 0 }
    }

    /// Adds an id from a sheet. `-` separates parts, so one inside the id is doubled.
    pub fn id(mut self, id: &str) -> Self {
        self.exact &= is_id(id) && !id.contains("__") && folded(id) == id;
        // Lower case may add marks that the id does not have: those are left out.
        let has_marks = id.chars().any(|c| is_letter(c) && !c.is_alphanumeric());
        let keep = |c| c == '_' || c == '-' || (has_marks && is_letter(c));
        self.part(id, &readable(id, keep).replace('-', "--"));
        self
    }

    /// Adds free text: `at night` as `at_night`.
    pub fn words(mut self, words: &str) -> Self {
        let slug = readable(words, |_| false);
        self.exact &= slug.replace('_', " ") == words && folded(words) == words;
        self.part(words, &slug);
        self
    }

    /// Appends the hash, to distinguish the name from an equal one.
    pub fn hashed(mut self) -> Self {
        self.exact = false;
        self
    }

    fn part(&mut self, original: &str, text: &str) {
        self.key.update(&(original.len() as u64).to_le_bytes());
        self.key.update(original.as_bytes());
        if text.is_empty() {
            self.blanks += 1;
            return;
        }
        self.text.push_str(&"-_".repeat(std::mem::take(&mut self.blanks)));
        self.text.push('-');
        self.text.push_str(text);
    }

    /// The name.
    pub fn finish(mut self) -> ShotId {
        if !self.exact || self.text.len() > LONGEST {
            self.text.truncate(self.text.floor_char_boundary(LONGEST));
            self.text.push_str("__");
            self.text.push_str(&self.key.finalize().to_hex()[..10]);
        }
        ShotId::from_valid(self.text)
    }
}

/// The letters and digits of a text in lower case, with one `_` for all characters between two of them.
fn readable(text: &str, keep: impl Fn(char) -> bool) -> String {
    let mut slug = String::with_capacity(text.len());
    let mut gap = false;
    for c in text.chars().flat_map(char::to_lowercase) {
        if c.is_alphanumeric() || keep(c) {
            if std::mem::take(&mut gap) && !slug.is_empty() {
                slug.push('_');
            }
            slug.push(c);
        } else {
            gap = true;
        }
    }
    slug
}

/// The seed of all pictures of one character or place, so that its composition stays the same for all expressions and
/// times of day. It has 32 bits, so that people can read it and JSON can hold it.
pub(super) fn family_seed(style_seed: u64, kind: ShotKind, id: &str) -> u64 {
    let mut hash = blake3::Hasher::new();
    hash.update(&style_seed.to_le_bytes());
    hash.update(kind.name().as_bytes());
    hash.update(b"-");
    hash.update(id.as_bytes());
    let [a, b, c, d, ..] = *hash.finalize().as_bytes();
    u64::from(u32::from_le_bytes([a, b, c, d]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    fn background(parts: &[String; 4]) -> String {
        let [place, time, weather, mood] = parts;
        let name = Name::new(ShotKind::Background).id(place);
        name.words(time).words(weather).words(mood).finish().to_string()
    }

    fn name(parts: [&str; 4]) -> String {
        background(&parts.map(str::to_owned))
    }

    #[test]
    fn plain_words_are_readable_in_names() {
        assert_eq!(name(["studio", "at night", "", ""]), "background-studio-at_night");
        assert_eq!(name(["studio", "", "", ""]), "background-studio");
        assert_eq!(name(["old-town", "", "in the rain", ""]), "background-old--town-_-in_the_rain");
        assert_eq!(name(["a_b", "", "", "夜 5"]), "background-a_b-_-_-夜_5");
    }

    #[test]
    fn parts_that_are_not_plain_words_get_a_hash() {
        for parts in [["Studio", "", "", ""], ["studio", "At night!", "", ""], ["../x", "", "", ""]]
        {
            let name = name(parts);
            let (readable, hash) = name.rsplit_once("__").unwrap();
            assert!(readable.starts_with("background-") && hash.len() == 10, "{name}");
        }
        assert!(name(["studio", "At night!", "", ""]).starts_with("background-studio-at_night__"));
        assert!(name(["studio", "🌧", "", ""]).starts_with("background-studio__"));
    }

    #[test]
    fn names_in_lower_case_are_composed() {
        // A composed form exists only in lower case: U+1E97 (Unicode 16, UAX 15).
        assert!(name(["T\u{308}", "", "", ""]).starts_with("background-\u{1e97}__"));
    }

    /// Pairs of Unicode's full case folding, and of the upper case of NTFS.
    #[test]
    fn names_that_are_one_name_on_a_disk_that_ignores_case_differ() {
        for (a, b) in [
            ("νιος", "νιοσ"),
            ("mſ", "ms"),
            ("µ", "μ"),
            ("ϐ", "β"),
            ("straße", "strasse"),
            ("ﬁn", "fin"),
        ] {
            for [a, b] in [[[a, ""], [b, ""]], [["x", a], ["x", b]]] {
                let [a, b] = [a, b].map(|[id, words]| folded(&name([id, words, "", ""])));
                assert_ne!(a, b);
            }
        }
        assert_eq!(name(["νιος", "", "", ""]), "background-νιος");
    }

    #[test]
    fn long_words_are_truncated_and_names_still_differ() {
        let (one, two) = ("é ".repeat(500), format!("{}é x", "é ".repeat(500)));
        let [one, two] = [&one, &two].map(|mood| name(["studio", "", "", mood.trim()]));
        assert_ne!(one, two);
        assert!(ShotId::new(one).is_ok() && ShotId::new(two).is_ok());
    }

    #[test]
    fn seeds_of_different_families_differ() {
        let seed = |style, kind, id| family_seed(style, kind, id);
        let here = seed(7, ShotKind::Portrait, "mira");
        assert_eq!(here, seed(7, ShotKind::Portrait, "mira"));
        assert_ne!(here, seed(8, ShotKind::Portrait, "mira"));
        assert_ne!(here, seed(7, ShotKind::Portrait, "odo"));
        assert_ne!(here, seed(7, ShotKind::Item, "mira"));
        assert!(here <= u64::from(u32::MAX));
    }

    /// Similar texts.
    fn text() -> impl Strategy<Value = String> {
        "[abABsſßσς_ !-]{0,4}".prop_map(|text| text.trim().to_owned())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn different_parts_never_share_a_name(
            all in prop::collection::vec([text(), text(), text(), text()], 1..200),
        ) {
            let mut parts_of = HashMap::new();
            for parts in all {
                let name = folded(&background(&parts));
                let before = parts_of.insert(name.clone(), parts.clone());
                prop_assert!(before.is_none_or(|other| other == parts), "{name}");
            }
        }

        #[test]
        fn every_text_makes_a_valid_name(parts in [".*", ".*", ".*", ".*"]) {
            let name = background(&parts);
            let id = ShotId::new(name.as_str()).unwrap();
            prop_assert_eq!(id.as_str(), name);
        }
    }
}
