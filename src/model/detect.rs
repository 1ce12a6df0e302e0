//! The table of the pipelines and components that run here.
//!
//! The loader, the [inspector](super::inspect) and the hub all use this table. Therefore a model that
//! is reported as runnable can be loaded, and only the needed files are downloaded.

use serde_json::Value;

use super::{ModelError, Package, package::INDEX};

/// A family of models: a pipeline class of diffusers, and the components that it needs.
#[derive(Debug)]
pub struct Family {
    /// The display name.
    pub name: &'static str,
    /// The `_class_name` in `model_index.json`.
    pub pipeline: &'static str,
    /// The required components. Others in a package are ignored.
    pub components: &'static [Component],
}

/// A component of a family.
#[derive(Debug)]
pub struct Component {
    /// The name in `model_index.json`, which is also the folder name.
    pub name: &'static str,
    /// The classes that load it.
    pub classes: Classes,
    /// Whether the component has tensors.
    pub has_tensors: bool,
    /// Its weights in memory.
    pub in_memory: WeightsInMemory,
}

impl Component {
    /// The name in words, such as "text encoder".
    pub(super) fn words(&self) -> String {
        self.name.replace('_', " ")
    }
}

/// The weights of a component in memory, while its model is loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WeightsInMemory {
    /// As 32-bit floats.
    Wide,
    /// As they are stored, if the numbers have 16 bits or are quantized; otherwise as 32-bit floats.
    Stored,
    /// None: they are read again for each use.
    None,
}

/// The library classes that load a component.
#[derive(Debug)]
pub enum Classes {
    /// Only these classes.
    OneOf(&'static [&'static str]),
    /// Any class or none, except classes with this prefix.
    AllBut {
        /// The prefix of unsupported class names.
        prefix: &'static str,
        /// The supported alternative, for error messages.
        instead: &'static str,
    },
}

/// All supported families.
pub const FAMILIES: &[Family] = &[
    Family {
        name: "Stable Diffusion 1.x and 2.x",
        pipeline: "StableDiffusionPipeline",
        components: SD1,
    },
    Family {
        name: "Stable Diffusion 1.x and 2.x for inpainting",
        pipeline: "StableDiffusionInpaintPipeline",
        components: SD1,
    },
    Family { name: "Stable Diffusion XL", pipeline: "StableDiffusionXLPipeline", components: XL },
    Family {
        name: "Stable Diffusion XL for inpainting",
        pipeline: "StableDiffusionXLInpaintPipeline",
        components: XL,
    },
    Family { name: "latent consistency model", pipeline: LATENT_CONSISTENCY, components: SD1 },
    Family {
        name: "FLUX.2 Klein",
        pipeline: FLUX2_KLEIN,
        components: &[
            LANGUAGE_MODEL,
            LANGUAGE_MODEL_TOKENIZER,
            Component {
                in_memory: WeightsInMemory::Stored,
                ..component(TRANSFORMER, &[FLUX2_TRANSFORMER])
            },
            component("vae", &["AutoencoderKLFlux2"]),
            FLOW_SCHEDULER,
        ],
    },
    Family {
        name: "Z-Image",
        pipeline: Z_IMAGE,
        components: &[
            LANGUAGE_MODEL,
            LANGUAGE_MODEL_TOKENIZER,
            Component {
                in_memory: WeightsInMemory::Stored,
                ..component(TRANSFORMER, &[Z_IMAGE_TRANSFORMER])
            },
            VAE,
            FLOW_SCHEDULER,
        ],
    },
];

const SD1: &[Component] = &[TEXT_ENCODER, tokenizer("tokenizer"), UNET, VAE, SCHEDULER];
const XL: &[Component] = &[
    TEXT_ENCODER,
    component("text_encoder_2", &["CLIPTextModelWithProjection"]),
    tokenizer("tokenizer"),
    tokenizer("tokenizer_2"),
    UNET,
    VAE,
    SCHEDULER,
];

/// The pipeline class of models that were distilled with guidance for few steps.
pub(crate) const LATENT_CONSISTENCY: &str = "LatentConsistencyModelPipeline";

/// The pipeline class of FLUX.2 Klein.
pub(crate) const FLUX2_KLEIN: &str = "Flux2KleinPipeline";

/// The classes of large components that are also published as files of their own.
pub(super) const QWEN3: &str = "Qwen3ForCausalLM";
pub(super) const FLUX2_TRANSFORMER: &str = "Flux2Transformer2DModel";
pub(super) const Z_IMAGE_TRANSFORMER: &str = "ZImageTransformer2DModel";

/// The pipeline class of Z-Image and Z-Image-Turbo.
pub(crate) const Z_IMAGE: &str = "ZImagePipeline";

/// The component that predicts in newer families, instead of the UNet.
pub(crate) const TRANSFORMER: &str = "transformer";

/// `CLIPTextModelWithProjection` is not supported: its pooled output would be used as the conditioning.
const TEXT_ENCODER: Component = component("text_encoder", &["CLIPTextModel"]);
const LANGUAGE_MODEL: Component = Component {
    in_memory: WeightsInMemory::None,
    ..component("text_encoder", &[QWEN3, "Qwen3Model"])
};
const LANGUAGE_MODEL_TOKENIZER: Component = Component {
    has_tensors: false,
    ..component("tokenizer", &["Qwen2TokenizerFast", "Qwen2Tokenizer"])
};
const UNET: Component = component("unet", &["UNet2DConditionModel"]);
const VAE: Component = component("vae", &["AutoencoderKL", "AutoencoderTiny"]);
const SCHEDULER: Component = Component {
    name: "scheduler",
    // Flow-matching configurations have no betas, so every field would silently use its default.
    classes: Classes::AllBut {
        prefix: "FlowMatch",
        instead: "a diffusion scheduler, such as DDIMScheduler",
    },
    has_tensors: false,
    in_memory: WeightsInMemory::None,
};

const FLOW_SCHEDULER: Component = Component {
    has_tensors: false,
    ..component("scheduler", &["FlowMatchEulerDiscreteScheduler"])
};

const fn tokenizer(name: &'static str) -> Component {
    Component { has_tensors: false, ..component(name, &["CLIPTokenizer", "CLIPTokenizerFast"]) }
}

const fn component(name: &'static str, classes: &'static [&'static str]) -> Component {
    Component {
        name,
        classes: Classes::OneOf(classes),
        has_tensors: true,
        in_memory: WeightsInMemory::Wide,
    }
}

/// The files besides the weights that affect the pictures of a model, relative to the package.
pub(super) const CONFIG_FILES: [&str; 19] = [
    INDEX,
    "scheduler/scheduler_config.json",
    "text_encoder/config.json",
    "tokenizer/added_tokens.json",
    "tokenizer/merges.txt",
    "tokenizer/special_tokens_map.json",
    "tokenizer/tokenizer.json",
    "tokenizer/tokenizer_config.json",
    "tokenizer/vocab.json",
    "unet/config.json",
    "vae/config.json",
    "text_encoder_2/config.json",
    "tokenizer_2/added_tokens.json",
    "tokenizer_2/merges.txt",
    "tokenizer_2/special_tokens_map.json",
    "tokenizer_2/tokenizer.json",
    "tokenizer_2/tokenizer_config.json",
    "tokenizer_2/vocab.json",
    "transformer/config.json",
];

/// The files of a tokenizer that affect the ids of a text.
pub(super) const TOKENIZER_FILES: [&str; 6] = [
    "added_tokens.json",
    "merges.txt",
    "special_tokens_map.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.json",
];

/// The supported schedulers, each with the classes that it substitutes. A substitute samples the
/// same distribution as the scheduler that the model names. The first one substitutes all other classes.
const SCHEDULERS: &[(&str, &[&str])] = &[
    ("DPMSolverMultistepScheduler", &["DPMSolverSinglestepScheduler", "DEISMultistepScheduler"]),
    ("DDIMScheduler", &[]),
    ("DDPMScheduler", &[]),
    ("PNDMScheduler", &[]),
    ("LMSDiscreteScheduler", &[]),
    ("EulerDiscreteScheduler", &[]),
    ("EulerAncestralDiscreteScheduler", &["KDPM2AncestralDiscreteScheduler"]),
    ("HeunDiscreteScheduler", &["KDPM2DiscreteScheduler"]),
    ("DPMSolverSDEScheduler", &[]),
    ("UniPCMultistepScheduler", &[]),
    ("LCMScheduler", &[]),
    ("TCDScheduler", &[]),
    ("FlowMatchEulerDiscreteScheduler", &["FlowMatchHeunDiscreteScheduler"]),
];

/// The supported scheduler class for the class that a package names.
#[must_use]
pub fn scheduler_for(class: &str) -> &'static str {
    let known = SCHEDULERS.iter().find(|(ours, others)| *ours == class || others.contains(&class));
    known.unwrap_or(&SCHEDULERS[0]).0
}

/// The names of all components of all families.
pub fn component_names() -> impl Iterator<Item = &'static str> {
    FAMILIES.iter().flat_map(|family| family.components).map(|component| component.name)
}

/// The family of a pipeline class.
#[must_use]
pub fn family(pipeline: &str) -> Option<&'static Family> {
    FAMILIES.iter().find(|family| family.pipeline == pipeline)
}

/// Checks that the family of a package has a component of one of these classes, and returns the class.
///
/// # Errors
/// If its index is missing or damaged, or [`ModelError::Unsupported`] with its pipeline class.
pub(super) fn check_component(
    package: &dyn Package,
    component: &str,
    classes: &[&'static str],
) -> Result<&'static str, ModelError> {
    let pipeline = Index::read(package)?.class;
    let class_in = |family: &Family| {
        let found = family.component(component)?;
        classes.iter().copied().find(|class| found.classes.include(class))
    };
    family(&pipeline).and_then(class_in).ok_or_else(|| {
        let known = FAMILIES.iter().filter(|family| class_in(family).is_some());
        let known: Vec<_> = known.map(|family| family.pipeline).collect();
        ModelError::Unsupported {
            file: package.location(INDEX),
            field: "_class_name".to_owned(),
            value: format!("\"{pipeline}\""),
            supported: known.join(" or "),
        }
    })
}

/// The component that has this class, and the first family with it, if the component is published as a file of its own.
pub(super) fn component_of(class: &str) -> Option<(&'static Family, &'static Component)> {
    let all =
        FAMILIES.iter().flat_map(|family| family.components.iter().map(move |it| (family, it)));
    let mut found = all.filter(|(_, component)| match component.classes {
        Classes::OneOf(classes) => component.has_tensors && classes.contains(&class),
        Classes::AllBut { .. } => false,
    });
    found.find(|(_, component)| component.in_memory != WeightsInMemory::Wide)
}

/// The display names of all families with a component of this class.
pub(super) fn families_of(class: &str) -> String {
    let has_class = |family: &&Family| {
        family.components.iter().any(|component| match component.classes {
            Classes::OneOf(classes) => classes.contains(&class),
            Classes::AllBut { .. } => false,
        })
    };
    let names: Vec<_> = FAMILIES.iter().filter(has_class).map(|family| family.name).collect();
    names.join(" and ")
}

impl Family {
    /// The component with this name.
    #[must_use]
    pub fn component(&self, name: &str) -> Option<&'static Component> {
        self.components.iter().find(|component| component.name == name)
    }
}

impl Classes {
    /// Whether this class loads the component. An empty string means that there is no class.
    #[must_use]
    pub fn include(&self, class: &str) -> bool {
        match self {
            Self::OneOf(classes) => classes.contains(&class),
            Self::AllBut { prefix, .. } => !class.starts_with(prefix),
        }
    }

    /// The classes, as text for error messages.
    #[must_use]
    pub fn expected(&self) -> String {
        match self {
            Self::OneOf(classes) => classes.join(" or "),
            Self::AllBut { instead, .. } => (*instead).to_owned(),
        }
    }
}

/// The index of a package: `model_index.json`.
#[derive(Clone, Debug, Default)]
pub struct Index {
    /// The pipeline class. Empty if the index has none.
    pub class: String,
    /// The components with their classes, sorted by name.
    pub components: Vec<(String, String)>,
    /// The whole file.
    pub json: Value,
}

/// An entry of an index that is not supported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// The component; `None` for the pipeline itself.
    pub component: Option<&'static str>,
    /// The class in the index. Empty if there is none.
    pub found: String,
    /// The supported classes.
    pub expected: String,
}

impl Index {
    /// Reads the index of a package.
    ///
    /// # Errors
    /// If it is missing or damaged.
    pub fn read(package: &dyn Package) -> Result<Self, ModelError> {
        package.index().map(Self::new)
    }

    pub(super) fn new(json: Value) -> Self {
        let entries = json.as_object().into_iter().flatten();
        let components = entries.filter_map(|(name, value)| {
            let class = value.as_array()?.get(1)?.as_str()?;
            (!name.contains(['/', '\\', ':', '.'])).then(|| (name.clone(), class.to_owned()))
        });
        let class = json.get("_class_name").and_then(Value::as_str).unwrap_or_default();
        Self { class: class.to_owned(), components: components.collect(), json }
    }

    /// The class of a component. Empty if the index does not list the component.
    #[must_use]
    pub fn class_of(&self, component: &str) -> &str {
        let found = self.components.iter().find(|(name, _)| name == component);
        found.map_or("", |(_, class)| class)
    }

    /// Whether the model was distilled for few steps without guidance.
    pub(crate) fn is_distilled(&self) -> bool {
        self.json["is_distilled"] == true
    }

    /// All unsupported entries. Empty if the pipeline is supported.
    #[must_use]
    pub fn mismatches(&self) -> Vec<Mismatch> {
        let Some(family) = family(&self.class) else {
            let expected: Vec<String> = FAMILIES
                .iter()
                .map(|family| format!("{} ({})", family.pipeline, family.name))
                .collect();
            let expected = expected.join(" or ");
            return vec![Mismatch { component: None, found: self.class.clone(), expected }];
        };
        let wrong =
            |component: &&Component| !component.classes.include(self.class_of(component.name));
        let wrong = family.components.iter().filter(wrong);
        wrong
            .map(|component| Mismatch {
                component: Some(component.name),
                found: self.class_of(component.name).to_owned(),
                expected: component.classes.expected(),
            })
            .collect()
    }
}

/// Reads the index of a package, and checks that the pipeline is supported.
///
/// # Errors
/// If the index is missing or damaged, or [`ModelError::Unsupported`] with the first mismatch.
pub fn runnable_index(package: &dyn Package) -> Result<Index, ModelError> {
    let index = Index::read(package)?;
    match index.mismatches().into_iter().next() {
        None => Ok(index),
        Some(mismatch) => Err(ModelError::Unsupported {
            file: package.location(INDEX),
            field: mismatch.component.unwrap_or("_class_name").to_owned(),
            value: format!("\"{}\"", mismatch.found),
            supported: mismatch.expected,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn index(changes: &[(&str, Value)]) -> Index {
        let mut json = json!({
            "_class_name": "StableDiffusionPipeline",
            "scheduler": ["diffusers", "PNDMScheduler"],
            "safety_checker": [null, null],
            "text_encoder": ["transformers", "CLIPTextModel"],
            "tokenizer": ["transformers", "CLIPTokenizer"],
            "unet": ["diffusers", "UNet2DConditionModel"],
            "vae": ["diffusers", "AutoencoderKL"],
        });
        for (field, value) in changes {
            json[field] = value.clone();
        }
        Index::new(json)
    }

    #[test]
    fn a_stable_diffusion_pipeline_has_no_mismatches() {
        assert_eq!(index(&[]).mismatches(), []);
        assert_eq!(index(&[("scheduler", Value::Null)]).mismatches(), []);
        assert_eq!(index(&[("vae", json!(["diffusers", "AutoencoderTiny"]))]).mismatches(), []);
    }

    #[test]
    fn each_component_of_another_class_is_a_mismatch() {
        for (component, class) in [
            ("text_encoder", "CLIPTextModelWithProjection"),
            ("tokenizer", "T5Tokenizer"),
            ("unet", "FluxTransformer2DModel"),
            ("vae", "AutoencoderDC"),
            ("scheduler", "FlowMatchEulerDiscreteScheduler"),
        ] {
            let found = index(&[(component, json!(["library", class]))]).mismatches();
            assert_eq!(found.len(), 1, "{found:?}");
            assert_eq!((found[0].component, found[0].found.as_str()), (Some(component), class));
        }
        assert_eq!(index(&[("vae", Value::Null)]).mismatches()[0].component, Some("vae"));
    }

    #[test]
    fn a_pipeline_of_another_family_is_one_mismatch_that_names_the_supported_pipelines() {
        let found = index(&[("_class_name", json!("FluxPipeline"))]).mismatches();
        assert_eq!((found.len(), found[0].component), (1, None));
        assert!(found[0].expected.contains("StableDiffusionPipeline"));
    }

    #[test]
    fn names_of_components_that_are_paths_are_ignored() {
        let index = index(&[("../evil", json!(["diffusers", "AutoencoderKL"]))]);
        assert_eq!(index.class_of("../evil"), "");
    }

    #[test]
    fn every_scheduler_class_has_a_supported_substitute() {
        assert_eq!(scheduler_for("DDIMScheduler"), "DDIMScheduler");
        assert_eq!(scheduler_for("PNDMScheduler"), "PNDMScheduler");
        assert_eq!(scheduler_for("DEISMultistepScheduler"), "DPMSolverMultistepScheduler");
        assert_eq!(scheduler_for("KDPM2DiscreteScheduler"), "HeunDiscreteScheduler");
        assert_eq!(scheduler_for("Unheard"), "DPMSolverMultistepScheduler");
    }
}
