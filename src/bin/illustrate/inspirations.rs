//! Inspirations on the command line: `KIND:FILE[:WEIGHT]`.

use std::path::PathBuf;

use bevy_illustrator::recipe::{ImageUse, Inspiration, InspirationKind};

use crate::losses::value_and_weight;

/// Parses an inspiration, such as `style:paper.png:0.5`.
pub(crate) fn parse(text: &str) -> Result<Inspiration<PathBuf>, String> {
    let (kind, rest) = text.split_once(':').unwrap_or((text, ""));
    let (value, weight) = value_and_weight(rest);
    let usage = match kind {
        "text" => None,
        "style" => Some(ImageUse::Style),
        "content" => Some(ImageUse::Content),
        "outline" => Some(ImageUse::Outline),
        "scribble" => Some(ImageUse::Scribble),
        "reference" => Some(ImageUse::Reference),
        _ => {
            return Err(format!(
                "the inspiration `{kind}` is unknown: choose text, style, content, outline, scribble or \
                 reference"
            ));
        }
    };
    let kind = match usage {
        Some(_) if value.is_empty() => {
            return Err(format!("`{kind}` needs an image, such as {kind}:{kind}.png"));
        }
        Some(usage) => InspirationKind::Image(usage, value.into()),
        None => InspirationKind::Text(value.to_owned()),
    };
    let inspiration = Inspiration { weight: weight.unwrap_or(1.0), ..Inspiration::new(kind) };
    inspiration.check().map_err(|error| error.to_string())?;
    Ok(inspiration)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_inspiration_is_a_kind_with_a_file_or_words_and_a_weight() {
        let image =
            |usage, file: &str| Inspiration::new(InspirationKind::Image(usage, file.into()));
        let text = |words: &str| Inspiration::new(InspirationKind::Text(words.to_owned()));
        for (given, expected) in [
            ("style:a:b.png", image(ImageUse::Style, "a:b.png")),
            ("content:a.png:0.7", Inspiration { weight: 0.7, ..image(ImageUse::Content, "a.png") }),
            ("outline:lines.png", image(ImageUse::Outline, "lines.png")),
            ("scribble:a.png", image(ImageUse::Scribble, "a.png")),
            ("text:velvet, soft", text("velvet, soft")),
            ("text:velvet:0.5", Inspiration { weight: 0.5, ..text("velvet") }),
        ] {
            assert_eq!(parse(given), Ok(expected), "{given}");
        }
    }

    #[test]
    fn a_wrong_inspiration_says_what_is_wrong() {
        for (text, word) in [
            ("sound:a.mp3", "style, content"),
            ("style", "style:style.png"),
            ("outline:", "needs an image"),
            ("text:", "no words"),
            ("style:a.png:-1", "-1"),
            ("style:a.png:nan", "NaN"),
            ("style:a.png:11", "at most 10"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(word), "{text}: {error}");
        }
    }
}
