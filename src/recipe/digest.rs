//! The digest that identifies a recipe.
//!
//! Each field is digested with its name. Fields at their defaults are left out, so a later version can add
//! fields without changing the identity of recipes that do not use them.

use crate::mask::Area;

/// The version of the encoding. It only changes when the meaning of a field changes.
const VERSION: &str = "bevy_illustrator recipe 1";

/// Digests named fields with blake3. A field is the length of its name as a little-endian u32, the
/// name, the length of its value as a little-endian u64, and the value.
pub(super) struct Digester(blake3::Hasher);

impl Digester {
    /// A digest in the current encoding.
    pub(super) fn new() -> Self {
        let mut digest = Self(blake3::Hasher::new());
        digest.bytes("version", VERSION.as_bytes());
        digest
    }

    fn bytes(&mut self, name: &str, value: &[u8]) {
        self.0.update(&(name.len() as u32).to_le_bytes());
        self.0.update(name.as_bytes());
        self.0.update(&(value.len() as u64).to_le_bytes());
        self.0.update(value);
    }

    /// Feeds a text in UTF-8; nothing if it is empty.
    pub(super) fn text(&mut self, name: &str, value: &str) {
        if !value.is_empty() {
            self.bytes(name, value.as_bytes());
        }
    }

    /// Feeds a number as 8 little-endian bytes; nothing if it is 0.
    pub(super) fn number(&mut self, name: &str, value: u64) {
        if value != 0 {
            self.bytes(name, &value.to_le_bytes());
        }
    }

    /// Feeds a number that may be unset; nothing if it is unset. 0 is fed like any other value.
    pub(super) fn optional_number(&mut self, name: &str, value: Option<impl Into<u64>>) {
        if let Some(value) = value {
            self.bytes(name, &value.into().to_le_bytes());
        }
    }

    /// Feeds the bits of a float as 4 little-endian bytes; nothing if it is unset.
    pub(super) fn optional_float(&mut self, name: &str, value: Option<f32>) {
        if let Some(value) = value {
            // -0 equals 0.
            let value = if value == 0.0 { 0.0 } else { value };
            self.bytes(name, &value.to_bits().to_le_bytes());
        }
    }

    /// Feeds the digest of nested fields, even if they feed nothing.
    pub(super) fn nested(&mut self, name: &str, feed: impl FnOnce(&mut Self)) {
        let mut nested = Self(blake3::Hasher::new());
        feed(&mut nested);
        self.bytes(name, nested.0.finalize().as_bytes());
    }

    /// Feeds an area as nested numbers.
    pub(super) fn area(&mut self, name: &str, area: Area) {
        let Area { x, y, width, height } = area;
        self.nested(name, |digest| {
            digest.number("x", x.into());
            digest.number("y", y.into());
            digest.number("width", width.into());
            digest.number("height", height.into());
        });
    }

    /// The digest as 64 hexadecimal digits.
    pub(super) fn finish(self) -> String {
        self.0.finalize().to_hex().to_string()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use image::{Rgba, RgbaImage};

    use crate::{
        mask::{Area, Mask},
        recipe::{
            EditKind, GuidanceInterval, Loss, LossKind, Part, PartEdit, PartRecipe, PictureEdit,
            Recipe, Sampler, Scribble, Size, TakeId,
        },
    };

    /// A recipe in which no field has its default value.
    fn full() -> Recipe {
        let part = Part {
            scribble: Some(Scribble(Arc::new(RgbaImage::from_pixel(1, 1, Rgba([1, 2, 3, 4]))))),
            ..Part::new(
                "sky",
                Mask::from_fn(2, 1, |x, _| [0, 255][x as usize]),
                PartEdit {
                    kind: EditKind::Replace,
                    words: "stars".to_owned(),
                    negative_prompt: "moon".to_owned(),
                    strength: Some(0.5),
                    amount: Some(1.5),
                    seed: Some(3),
                    grow: Some(0),
                    feather: Some(9),
                    inspirations: Vec::new(),
                    losses: Vec::new(),
                },
            )
        };
        Recipe {
            negative_prompt: "fog".to_owned(),
            seed: 7,
            take: 2,
            sampler: Sampler {
                scheduler: Some("DDIMScheduler".to_owned()),
                sigmas: None,
                prediction_type: None,
                clip_skip: None,
                steps: Some(4),
                guidance_scale: Some(7.5),
                guidance_rescale: Some(0.0),
                guidance_interval: None,
            },
            edit: Some(PictureEdit {
                parent: Some(TakeId::new("0123456789abcdef").unwrap()),
                picture: "p".to_owned(),
                style: "ink".to_owned(),
                parts: vec![PartRecipe::from(&part)],
                context: Some(Area { x: 0, y: 1, width: 2, height: 3 }),
                canvas: None,
                shot_size: None,
                tiled: false,
                origin: None,
                choice_seed: None,
            }),
            ..Recipe::new("a bay", Size::new(16, 8), "m")
        }
    }

    /// Computed with Python's `blake3` from the encoding that [`Digester`](super::Digester) documents.
    #[test]
    fn identities_match_an_independent_implementation() {
        let plain = Recipe::new("a bay", Size::new(384, 224), "sketch");
        for (recipe, id) in [
            (plain, "a3105bc9430d7a639501c0ef738fa1c95df747d215961b44575a1a544dce37a1"),
            (full(), "6b57c35dc55ab629ce3975487a0b06a1f35fd02ff3888e035f4ab3ff1b0b3194"),
        ] {
            assert_eq!(recipe.id().0, id, "{recipe:?}");
        }
        let interval = Some(GuidanceInterval { from: 0.25, to: 0.5 });
        let sampler = Sampler { guidance_interval: interval, ..Sampler::default() };
        let recipe = Recipe { sampler, ..Recipe::new("a bay", Size::new(384, 224), "sketch") };
        assert_eq!(
            recipe.id().0,
            "ebd20b5d23c3486db0f2f03a27f159ca29005237170ef60c11e769770d4e82a5"
        );
    }

    #[test]
    fn a_field_at_its_default_does_not_change_the_identity() {
        let digest = |feed: fn(&mut super::Digester)| {
            let mut digest = super::Digester::new();
            digest.text("prompt", "a bay");
            feed(&mut digest);
            digest.finish()
        };
        let before = digest(|_| ());
        let defaults = digest(|digest| {
            digest.text("lora", "");
            digest.number("clip_skip", 0);
            digest.optional_number("eta", None::<u32>);
            digest.optional_float("rho", None);
        });
        assert_eq!(before, defaults);
        let set = digest(|digest| digest.optional_float("rho", Some(0.0)));
        assert_ne!(before, set, "0 is a value of a field that may be unset");
    }

    #[test]
    fn a_score_gives_another_identity_and_draws_other_takes_only_of_losses() {
        let scored = |recipe: &Recipe| Recipe { score: true, ..recipe.clone() };
        let plain = Recipe::new("a bay", Size::new(8, 8), "m");
        let loss = Loss::new(LossKind::TotalVariation);
        let steered = Recipe { losses: vec![loss.clone()], ..plain.clone() };
        let mut edited = full();
        edited.edit.iter_mut().for_each(|edit| edit.parts[0].edit.losses = vec![loss.clone()]);
        for (recipe, same_takes) in [(plain, true), (steered, false), (edited, false)] {
            let scored = scored(&recipe);
            assert_ne!(scored.id(), recipe.id());
            assert_eq!(scored.same_but_take(&recipe), same_takes, "{recipe:?}");
            let json = serde_json::to_string(&scored).unwrap();
            assert_eq!(serde_json::from_str::<Recipe>(&json).unwrap(), scored);
        }
    }

    #[test]
    fn the_same_value_in_another_field_gives_another_identity() {
        let recipe = |prompt: &str, negative_prompt: &str| Recipe {
            negative_prompt: negative_prompt.to_owned(),
            ..Recipe::new(prompt, Size::new(8, 8), "m")
        };
        assert_ne!(recipe("fog", "").id(), recipe("", "fog").id());
        assert_ne!(recipe("fogs", "a").id(), recipe("fog", "sa").id());
    }
}
