//! What a folder is: a diffusers pipeline with its components, one of these components, or nothing
//! that is known.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io,
    path::Path,
};

use serde_json::{Map, Value};

use super::{Inspection, ModelKind, Obstacle, Part, tensor_header::TensorHeader};
use crate::{diffusion::scheduler::SchedulerConfig, models::licence};

/// A component that a pipeline needs to run here, and the classes that do.
struct Needed {
    name: &'static str,
    classes: &'static [&'static str],
    expected: &'static str,
}

const NEEDED: [Needed; 3] = [
    Needed {
        name: "text_encoder",
        classes: &["CLIPTextModel", "CLIPTextModelWithProjection"],
        expected: "a CLIPTextModel",
    },
    Needed { name: "unet", classes: &["UNet2DConditionModel"], expected: "a UNet2DConditionModel" },
    Needed {
        name: "vae",
        classes: &["AutoencoderKL", "AutoencoderTiny"],
        expected: "an AutoencoderKL or an AutoencoderTiny",
    },
];

/// Weight files in the order in which they are looked for.
const WEIGHTS: [&str; 4] = [
    "model.safetensors",
    "diffusion_pytorch_model.safetensors",
    "model.fp16.safetensors",
    "diffusion_pytorch_model.fp16.safetensors",
];

/// Lists of weight files, where the weights are split.
const INDEXES: [&str; 2] =
    ["model.safetensors.index.json", "diffusion_pytorch_model.safetensors.index.json"];

pub(super) fn inspect(folder: &Path) -> io::Result<Inspection> {
    let mut look = Look { folder, obstacles: Vec::new() };
    let (kind, parts) = if folder.join("model_index.json").exists() {
        let index = look.json("model_index.json").unwrap_or_default();
        look.pipeline(&index)?
    } else if folder.join("config.json").exists() {
        let config = look.json("config.json").unwrap_or_default();
        look.obstacles.push(Obstacle::OnePart);
        let class =
            text(&config, "_class_name").or_else(|| text(config.get("architectures")?, "0"));
        let class = class.unwrap_or_else(|| "of unknown class".to_owned());
        let part = look.weights("", &class)?;
        (ModelKind::Component(class), vec![part])
    } else {
        return Ok(Inspection::no_model("this folder has no model_index.json"));
    };
    Ok(Inspection { kind, parts, licence: licence(folder), obstacles: look.obstacles })
}

/// A folder, and what was found wrong in it so far.
struct Look<'a> {
    folder: &'a Path,
    obstacles: Vec<Obstacle>,
}

impl Look<'_> {
    fn pipeline(&mut self, index: &Value) -> io::Result<(ModelKind, Vec<Part>)> {
        let class = text(index, "_class_name").unwrap_or_else(|| "of unknown class".to_owned());
        let family = class == "StableDiffusionPipeline";
        if !family && self.obstacles.is_empty() {
            self.obstacles.push(Obstacle::PipelineClass { class: class.clone() });
        }
        let listed = components(index);
        let mut parts = Vec::new();
        for (name, class) in &listed {
            let needed = NEEDED.iter().find(|needed| needed.name == name);
            let has_weights =
                needed.is_some() || self.folder.join(name).join("config.json").exists();
            if !has_weights {
                parts.push(Part { name: name.clone(), class: class.clone(), ..Part::default() });
                continue;
            }
            // What a pipeline of ours would not load (a safety checker) cannot stop it.
            let faults = self.obstacles.len();
            parts.push(self.weights(name, class)?);
            match needed {
                None => self.obstacles.truncate(faults),
                Some(needed) if !needed.classes.contains(&class.as_str()) && family => {
                    self.obstacles.push(Obstacle::ComponentClass {
                        component: name.clone(),
                        found: class.clone(),
                        expected: needed.expected,
                    });
                }
                Some(_) => {}
            }
        }
        if family {
            for needed in &NEEDED {
                if !listed.iter().any(|(name, _)| name == needed.name) {
                    self.missing(format!("{}/", needed.name));
                }
            }
            self.small_files();
        }
        Ok((ModelKind::Pipeline(class), parts))
    }

    /// What a Stable Diffusion pipeline needs beside its networks.
    fn small_files(&mut self) {
        let there = |file: &str| self.folder.join(file).exists();
        let tokenizer = there("tokenizer/tokenizer.json")
            || (there("tokenizer/vocab.json") && there("tokenizer/merges.txt"));
        if !tokenizer {
            self.missing("tokenizer/tokenizer.json (or vocab.json with merges.txt)".to_owned());
        }
        self.parsed("scheduler/scheduler_config.json", SchedulerConfig::from_json);
        let mut number = |file: &str, key: &str| {
            self.folder.join(file).exists().then(|| self.json(file)?.get(key)?.as_u64()).flatten()
        };
        let channels = (
            number("unet/config.json", "in_channels"),
            number("vae/config.json", "latent_channels"),
        );
        if let (Some(unet), Some(vae)) = channels
            && unet != vae
        {
            self.obstacles.push(Obstacle::Channels { unet, vae });
        }
    }

    /// Reads the headers of a component's weight files. An empty name is the folder itself.
    fn weights(&mut self, name: &str, class: &str) -> io::Result<Part> {
        let below = |file: &str| {
            if name.is_empty() { file.to_owned() } else { format!("{name}/{file}") }
        };
        let mut part = Part { name: name.to_owned(), class: class.to_owned(), ..Part::default() };
        if !self.folder.join(below("config.json")).exists() {
            self.missing(below("config.json"));
        }
        for file in self.weight_files(&below) {
            self.add(&mut part, &file)?;
        }
        Ok(part)
    }

    fn add(&mut self, part: &mut Part, file: &str) -> io::Result<()> {
        let path = self.folder.join(file);
        if !path.exists() {
            self.missing(file.to_owned());
            return Ok(());
        }
        let bytes = path.metadata()?.len();
        match TensorHeader::read(File::open(&path)?, bytes) {
            Ok(header) => part.add(&header, bytes),
            Err(error) => {
                self.obstacles.push(Obstacle::Broken { file: file.to_owned(), error });
            }
        }
        Ok(())
    }

    /// The weight files of a component; where there are none, says so and returns nothing.
    fn weight_files(&mut self, below: &dyn Fn(&str) -> String) -> Vec<String> {
        let there = |file: &&str| self.folder.join(below(file)).exists();
        if let Some(file) = WEIGHTS.iter().find(|file| there(file)) {
            return vec![below(file)];
        }
        if let Some(index) = INDEXES.iter().find(|file| there(file)) {
            let map = self.json(&below(index));
            let files: BTreeSet<String> = map
                .iter()
                .filter_map(|map| map.get("weight_map")?.as_object())
                .flat_map(Map::values)
                .filter_map(|file| Some(below(plain_name(file.as_str()?)?)))
                .collect();
            return files.into_iter().collect();
        }
        let pickles = ["pytorch_model.bin", "diffusion_pytorch_model.bin", "model.ckpt"];
        match pickles.iter().find(|file| there(file)) {
            Some(file) => self.obstacles.push(Obstacle::Pickle { file: below(file) }),
            None => self.missing(below("*.safetensors")),
        }
        Vec::new()
    }

    /// A JSON file; where it cannot be read, says so and returns nothing.
    fn json(&mut self, file: &str) -> Option<Value> {
        self.parsed(file, |text| serde_json::from_str::<Value>(text))
    }

    /// A text file, read as what it should be; what keeps it from that is told.
    fn parsed<T, E: ToString>(
        &mut self,
        file: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let path = self.folder.join(file);
        if !path.exists() {
            self.missing(file.to_owned());
            return None;
        }
        let read = fs::read_to_string(&path).map_err(|error| error.to_string());
        match read.and_then(|text| parse(&text).map_err(|error| error.to_string())) {
            Ok(value) => Some(value),
            Err(message) => {
                self.obstacles.push(Obstacle::Json { file: file.to_owned(), message });
                None
            }
        }
    }

    fn missing(&mut self, file: String) {
        self.obstacles.push(Obstacle::Missing { file });
    }
}

/// The components that a `model_index.json` lists, with their classes: `"unet": ["diffusers", "..."]`.
fn components(index: &Value) -> Vec<(String, String)> {
    let entries = index.as_object().into_iter().flatten();
    entries
        .filter_map(|(name, value)| {
            let class = text(value, "1")?;
            plain_name(name).map(|name| (name.to_owned(), class))
        })
        .collect()
}

/// The string at a key of an object, or at a place of an array.
fn text(value: &Value, at: &str) -> Option<String> {
    let found = value.get(at).or_else(|| value.get(at.parse::<usize>().ok()?))?;
    found.as_str().map(str::to_owned)
}

/// A name that stays in its folder.
fn plain_name(name: &str) -> Option<&str> {
    (Path::new(name).file_name()? == name).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::inspect::inspect;
    use std::path::PathBuf;

    fn built_in() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/models/sketch")
    }

    /// A copy of the built-in model that a test may damage.
    fn copy() -> tempfile::TempDir {
        fn copy_all(from: &Path, to: &Path) {
            fs::create_dir_all(to).expect("a folder");
            for entry in fs::read_dir(from).expect("a folder") {
                let entry = entry.expect("an entry");
                let to = to.join(entry.file_name());
                if entry.path().is_dir() {
                    copy_all(&entry.path(), &to);
                } else {
                    fs::copy(entry.path(), to).expect("a copy");
                }
            }
        }
        let folder = tempfile::tempdir().expect("a folder");
        copy_all(&built_in(), folder.path());
        folder
    }

    fn obstacles(folder: &Path) -> Vec<String> {
        let found = inspect(folder).expect("readable");
        assert!(!found.runs());
        found.obstacles.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_built_in_model_can_run_and_its_parts_are_counted() {
        let found = inspect(&built_in()).expect("readable");
        assert_eq!(found.obstacles, []);
        assert_eq!(found.kind, ModelKind::Pipeline("StableDiffusionPipeline".to_owned()));
        let unet = found.parts.iter().find(|part| part.name == "unet").expect("a unet");
        let file = built_in().join("unet/diffusion_pytorch_model.safetensors");
        assert_eq!(unet.bytes, file.metadata().expect("a file").len());
        assert!(
            unet.parameters > 1_000_000 && unet.dtypes.values().sum::<u64>() == unet.parameters
        );
        let scheduler = found.parts.iter().find(|part| part.name == "scheduler");
        assert_eq!(scheduler.map(|part| part.parameters), Some(0));
    }

    #[test]
    fn infinity_as_python_writes_it_is_no_obstacle() {
        let model = copy();
        let file = model.path().join("scheduler/scheduler_config.json");
        let config = "{\"lambda_min_clipped\": -Infinity, \"num_train_timesteps\": 1000}";
        fs::write(file, config).expect("written");
        let found = inspect(model.path()).expect("readable");
        assert!(found.runs(), "{:?}", found.obstacles);
    }

    #[test]
    fn every_missing_file_is_named() {
        let model = copy();
        for file in ["unet/config.json", "vae/diffusion_pytorch_model.safetensors"] {
            fs::remove_file(model.path().join(file)).expect("removed");
        }
        fs::remove_dir_all(model.path().join("tokenizer")).expect("removed");
        fs::remove_dir_all(model.path().join("scheduler")).expect("removed");
        let told = obstacles(model.path()).join("\n");
        let named = [
            "unet/config.json",
            "vae/*.safetensors",
            "tokenizer/",
            "scheduler/scheduler_config.json",
        ];
        for file in named {
            assert!(told.contains(file), "{file} in:\n{told}");
        }
    }

    #[test]
    fn weights_that_are_only_a_pickle_are_refused() {
        let model = copy();
        let unet = model.path().join("unet");
        let weights = unet.join("diffusion_pytorch_model.safetensors");
        fs::rename(weights, unet.join("diffusion_pytorch_model.bin")).expect("renamed");
        let told = obstacles(model.path());
        assert_eq!(told.len(), 1);
        assert!(told[0].starts_with("unet/diffusion_pytorch_model.bin is a pickle"), "{told:?}");
    }

    #[test]
    fn truncated_weights_and_bad_json_are_named() {
        let model = copy();
        let weights = model.path().join("vae/diffusion_pytorch_model.safetensors");
        let file = fs::OpenOptions::new().write(true).open(&weights).expect("opened");
        file.set_len(weights.metadata().expect("a file").len() - 100).expect("cut");
        fs::write(model.path().join("unet/config.json"), "{ \"in_channels\": }").expect("written");
        let told = obstacles(model.path()).join("\n");
        assert!(
            told.contains("vae/diffusion_pytorch_model.safetensors: the file is cut off: 100 ")
        );
        assert!(told.contains("unet/config.json cannot be read"), "{told}");
    }

    #[test]
    fn weights_in_several_files_are_counted_together_and_each_missing_one_is_named() {
        let model = copy();
        let unet = model.path().join("unet");
        let whole = inspect(&built_in()).expect("readable");
        let shard = unet.join("shard-1.safetensors");
        fs::rename(unet.join("diffusion_pytorch_model.safetensors"), shard).expect("renamed");
        let index = r#"{"weight_map": {"a": "shard-1.safetensors", "b": "../../etc/x"}}"#;
        let at = unet.join("diffusion_pytorch_model.safetensors.index.json");
        fs::write(&at, index).expect("written");
        assert_eq!(inspect(model.path()).expect("readable").parts, whole.parts);

        let index = r#"{"weight_map": {"a": "shard-1.safetensors", "b": "shard-2.safetensors"}}"#;
        fs::write(&at, index).expect("written");
        assert!(obstacles(model.path())[0].starts_with("unet/shard-2.safetensors is missing"));
    }

    #[test]
    fn models_of_other_families_say_what_can_run() {
        let model = copy();
        let index = model.path().join("model_index.json");
        let json = fs::read_to_string(&index).expect("readable");
        let other = json.replace("StableDiffusionPipeline", "FluxPipeline");
        fs::write(&index, other).expect("written");
        assert!(obstacles(model.path())[0].starts_with("FluxPipeline cannot run yet"));

        fs::write(&index, json).expect("written");
        let config = model.path().join("unet/config.json");
        let json = fs::read_to_string(&config).expect("readable");
        fs::write(config, json.replace("\"in_channels\": 32", "\"in_channels\": 9"))
            .expect("written");
        assert!(obstacles(model.path())[0].starts_with("the UNet takes 9 channels"));
    }

    #[test]
    fn a_component_and_an_empty_folder_are_no_models() {
        let found = inspect(&built_in().join("unet")).expect("readable");
        assert_eq!(found.kind, ModelKind::Component("UNet2DConditionModel".to_owned()));
        assert_eq!(found.obstacles, [Obstacle::OnePart]);
        let empty = tempfile::tempdir().expect("a folder");
        assert_eq!(inspect(empty.path()).expect("readable").kind, ModelKind::NoModel);
    }
}
