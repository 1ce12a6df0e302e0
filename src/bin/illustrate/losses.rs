//! Losses on the command line: `KIND[:VALUE][:WEIGHT]`.

use std::path::PathBuf;

use bevy_illustrator::recipe::{Colour, Loss, LossKind};

/// Parses a loss, such as `palette:#203060,#e0b040:0.5`.
pub(crate) fn parse(text: &str) -> Result<Loss<PathBuf>, String> {
    let (kind, rest) = text.split_once(':').unwrap_or((text, ""));
    let (value, weight) = match kind {
        "total-variation" if rest.is_empty() => ("", None),
        "total-variation" => {
            let weight = rest.parse();
            ("", Some(weight.map_err(|_| format!("the weight `{rest}` is not a number"))?))
        }
        _ => value_and_weight(rest),
    };
    let needs = |what: &str| match value {
        "" => Err(format!("`{kind}` needs {what}, such as {kind}:{}", example(kind))),
        value => Ok(value),
    };
    let kind = match kind {
        "palette" => {
            let colours = needs("colours")?.split(',').map(|text| text.trim().parse::<Colour>());
            LossKind::Palette(colours.collect::<Result<_, _>>().map_err(|error| error.to_string())?)
        }
        "total-variation" => LossKind::TotalVariation,
        "saturation" => {
            let target = needs("a number from 0 to 1")?.parse();
            LossKind::Saturation(target.map_err(|_| format!("`{value}` is not a number"))?)
        }
        "lightness" => {
            let target = needs("a number from 0 to 1")?.parse();
            LossKind::Lightness(target.map_err(|_| format!("`{value}` is not a number"))?)
        }
        "text" => LossKind::Text(needs("a text")?.to_owned()),
        "direction" => {
            let texts = needs("two texts")?.split_once("=>");
            let (from, to) = texts.ok_or_else(|| {
                format!("`{value}` has no `=>` between two texts, such as {}", example(kind))
            })?;
            LossKind::Direction { from: from.trim().to_owned(), to: to.trim().to_owned() }
        }
        "outline" => LossKind::Outline(needs("an image")?.into()),
        "colours" => LossKind::Colours(needs("an image")?.into()),
        "latents" => LossKind::Latents(needs("an image")?.into()),
        "style" => LossKind::Style(needs("an image")?.into()),
        "content" => LossKind::Content(needs("an image")?.into()),
        _ => {
            return Err(format!(
                "the loss `{kind}` is unknown: choose text, direction, style, content, outline, colours, \
                 palette, total-variation, saturation, lightness or latents"
            ));
        }
    };
    let loss = Loss { weight: weight.unwrap_or(1.0), ..Loss::new(kind) };
    loss.check().map_err(|error| error.to_string())?;
    Ok(loss)
}

/// Divides `VALUE[:WEIGHT]`. The value may contain colons, as paths do.
pub(crate) fn value_and_weight(text: &str) -> (&str, Option<f32>) {
    let weighted = text.rsplit_once(':').map(|(value, weight)| (value, weight.parse()));
    match weighted {
        Some((value, Ok(weight))) => (value, Some(weight)),
        _ => (text, None),
    }
}

fn example(kind: &str) -> &'static str {
    match kind {
        "text" => "a green coat",
        "direction" => "a coat in daylight => a coat at night",
        "palette" => "#203060,#e0b040",
        "saturation" | "lightness" => "0.4",
        _ => "lines.png",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loss_is_a_kind_with_its_value_and_its_weight() {
        let weighted = |weight, kind| Loss { weight, ..Loss::new(kind) };
        let colours = vec![Colour([0x20, 0x30, 0x60]), Colour([0xe0, 0xb0, 0x40])];
        for (text, expected) in [
            ("total-variation", Loss::new(LossKind::TotalVariation)),
            ("total-variation:0.5", weighted(0.5, LossKind::TotalVariation)),
            ("saturation:0.4", Loss::new(LossKind::Saturation(0.4))),
            ("lightness:0.3", Loss::new(LossKind::Lightness(0.3))),
            ("saturation:0.4:2", weighted(2.0, LossKind::Saturation(0.4))),
            ("palette:#203060,#e0b040", Loss::new(LossKind::Palette(colours.clone()))),
            ("palette:#203060, #e0b040:3", weighted(3.0, LossKind::Palette(colours))),
            ("text:a green coat:2", weighted(2.0, LossKind::Text("a green coat".to_owned()))),
            (
                "direction:a day => a night",
                Loss::new(LossKind::Direction {
                    from: "a day".to_owned(),
                    to: "a night".to_owned(),
                }),
            ),
            ("outline:a:b.png", Loss::new(LossKind::Outline("a:b.png".into()))),
            ("latents:C:\\a.png:2", weighted(2.0, LossKind::Latents("C:\\a.png".into()))),
        ] {
            assert_eq!(parse(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn a_wrong_loss_says_what_is_wrong() {
        for (text, word) in [
            ("beauty", "colours, palette"),
            ("text", "text:a green coat"),
            ("direction:a coat", "`=>`"),
            ("direction:a coat =>", "empty text"),
            ("palette", "#203060"),
            ("palette:red", "`red` is not a colour"),
            ("saturation:much", "`much`"),
            ("saturation:2", "saturation 2"),
            ("lightness:2", "lightness 2"),
            ("total-variation:-1", "-1"),
            ("total-variation:much", "`much`"),
            ("total-variation:nan", "NaN"),
            ("outline:", "needs an image"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(word), "{text}: {error}");
        }
    }
}
