//! The inspector and the loader agree on every folder.

use std::{
    borrow::Cow,
    fs,
    path::Path,
    sync::mpsc,
    time::{Duration, Instant},
};

use candle_core::{DType, Device, Tensor};
use serde_json::{Value, json};

use super::*;
use crate::{
    diffusion::DeviceKind,
    generator::inspect,
    model::{EmbeddedPackage, FolderPackage, TensorSource},
    recipe::style::BUILT_IN_MODEL,
    test_support::copy_of,
};

const UNET: &str = "unet/diffusion_pytorch_model.safetensors";
const TEXT_ENCODER: &str = "text_encoder/model.safetensors";

/// A copy of the built-in model that a test may damage.
fn copy() -> tempfile::TempDir {
    copy_of("assets/models/sketch")
}

/// Sets a field of a JSON file; the path of the field is a JSON pointer.
fn set(folder: &Path, file: &str, field: &str, value: Value) {
    let path = folder.join(file);
    let text = fs::read_to_string(&path).unwrap().replace("-Infinity", "-1e308");
    let mut json: Value = serde_json::from_str(&text).unwrap();
    let (parent, name) = field.rsplit_once('/').unwrap();
    json.pointer_mut(parent).unwrap()[name] = value;
    fs::write(path, json.to_string()).unwrap();
}

/// Makes a weight file a shard that `index` lists.
fn shard(folder: &Path, file: &str, index: &str) {
    let (part, _) = file.split_once('/').unwrap();
    fs::rename(folder.join(file), folder.join(part).join("one.safetensors")).unwrap();
    let map = json!({ "weight_map": { "a": "one.safetensors" } }).to_string();
    fs::write(folder.join(part).join(index), map).unwrap();
}

/// Changes to a copy of the built-in model.
type Change = fn(&Path);

const GOOD: &[(&str, Change)] = &[
    ("unchanged", |_| {}),
    ("shards", |at| shard(at, UNET, "diffusion_pytorch_model.safetensors.index.json")),
    ("half-precision shards", |at| {
        shard(at, UNET, "diffusion_pytorch_model.safetensors.index.fp16.json");
    }),
    ("half-precision name", |at| {
        let name = at.join("unet/diffusion_pytorch_model.fp16.safetensors");
        fs::rename(at.join(UNET), name).unwrap();
    }),
    ("weights named as in transformers", |at| {
        fs::rename(at.join(UNET), at.join("unet/model.safetensors")).unwrap();
    }),
    ("no scheduler in the index", |at| {
        set(at, "model_index.json", "/scheduler", Value::Null);
    }),
    ("a scheduler with a substitute", |at| {
        set(at, "model_index.json", "/scheduler", json!(["diffusers", "PNDMScheduler"]));
    }),
    ("an inpainting UNet", |at| {
        set(at, "model_index.json", "/_class_name", json!("StableDiffusionInpaintPipeline"));
        set(at, "unet/config.json", "/in_channels", json!(65));
        let mut tensors = candle_core::safetensors::load(at.join(UNET), &Device::Cpu).unwrap();
        let conv_in = tensors["conv_in.weight"].to_dtype(DType::F32).unwrap();
        let conv_in = [&conv_in, &conv_in, &conv_in.narrow(1, 0, 1).unwrap()];
        tensors.insert("conv_in.weight".to_owned(), Tensor::cat(&conv_in, 1).unwrap());
        candle_core::safetensors::save(&tensors, at.join(UNET)).unwrap();
    }),
    ("a broken safety checker", |at| {
        set(at, "model_index.json", "/safety_checker", json!(["other", "Checker"]));
        fs::create_dir(at.join("safety_checker")).unwrap();
        fs::write(at.join("safety_checker/config.json"), "{").unwrap();
    }),
];

const BROKEN: &[(&str, Change)] = &[
    ("no index", |at| fs::remove_file(at.join("model_index.json")).unwrap()),
    ("a damaged index", |at| fs::write(at.join("model_index.json"), "{").unwrap()),
    ("another pipeline", |at| set(at, "model_index.json", "/_class_name", json!("FluxPipeline"))),
    ("a text encoder with projection", |at| {
        let class = json!(["transformers", "CLIPTextModelWithProjection"]);
        set(at, "model_index.json", "/text_encoder", class);
    }),
    ("another tokenizer", |at| {
        set(at, "model_index.json", "/tokenizer", json!(["transformers", "T5Tokenizer"]));
    }),
    ("a flow scheduler", |at| {
        let class = json!(["diffusers", "FlowMatchEulerDiscreteScheduler"]);
        set(at, "model_index.json", "/scheduler", class);
    }),
    ("an unsupported prediction", |at| {
        let file = "scheduler/scheduler_config.json";
        set(at, file, "/prediction_type", json!("flow_prediction"));
    }),
    ("a scheduler configuration that is not UTF-8", |at| {
        fs::write(at.join("scheduler/scheduler_config.json"), b"{\"a\": \"\xff\"}").unwrap();
    }),
    ("no scheduler configuration", |at| {
        fs::remove_file(at.join("scheduler/scheduler_config.json")).unwrap();
    }),
    ("no UNet in the index", |at| set(at, "model_index.json", "/unet", Value::Null)),
    ("no UNet configuration", |at| fs::remove_file(at.join("unet/config.json")).unwrap()),
    ("no text encoder configuration", |at| {
        fs::remove_file(at.join("text_encoder/config.json")).unwrap();
    }),
    ("an unsupported UNet option", |at| {
        set(at, "unet/config.json", "/addition_embed_type", json!("text_time"));
    }),
    ("a UNet for image editing", |at| set(at, "unet/config.json", "/in_channels", json!(64))),
    ("the weights of no inpainting UNet", |at| {
        set(at, "unet/config.json", "/in_channels", json!(65));
    }),
    ("another width", |at| set(at, "unet/config.json", "/cross_attention_dim", json!(64))),
    ("another activation", |at| set(at, "text_encoder/config.json", "/hidden_act", json!("sine"))),
    ("another autoencoder class", |at| {
        set(at, "vae/config.json", "/_class_name", json!("AutoencoderDC"));
    }),
    ("a damaged tokenizer", |at| fs::write(at.join("tokenizer/tokenizer.json"), "{}").unwrap()),
    ("no tokenizer", |at| fs::remove_dir_all(at.join("tokenizer")).unwrap()),
    ("no weights", |at| fs::remove_file(at.join(TEXT_ENCODER)).unwrap()),
    ("weights of another component", |at| {
        fs::copy(at.join(TEXT_ENCODER), at.join(UNET)).map(|_| ()).unwrap();
    }),
    ("pickled weights", |at| {
        fs::rename(at.join(UNET), at.join("unet/diffusion_pytorch_model.bin")).unwrap();
    }),
    ("a pickle under another name", |at| fs::write(at.join(UNET), b"\x80\x02}q\0.\0\0\0").unwrap()),
    ("truncated weights", |at| {
        let file = fs::OpenOptions::new().write(true).open(at.join(UNET)).unwrap();
        file.set_len(1_000_000).unwrap();
    }),
    ("a missing shard", |at| {
        shard(at, UNET, "diffusion_pytorch_model.safetensors.index.json");
        fs::remove_file(at.join("unet/one.safetensors")).unwrap();
    }),
    ("a shard outside the folder", |at| {
        shard(at, UNET, "diffusion_pytorch_model.safetensors.index.json");
        let map = r#"{"weight_map": {"a": "one.safetensors", "b": "../vae/other.safetensors"}}"#;
        let index = "unet/diffusion_pytorch_model.safetensors.index.json";
        fs::write(at.join(index), map).unwrap();
    }),
    ("defaults of the wrong type", |at| {
        set(at, "model_index.json", "/_defaults", json!({ "steps": "many" }));
    }),
];

#[test]
fn a_folder_is_reported_as_runnable_exactly_if_it_loads() {
    let cases = GOOD.iter().map(|case| (case, true)).chain(BROKEN.iter().map(|case| (case, false)));
    for ((name, change), runs) in cases {
        let folder = copy();
        change(folder.path());
        let found = inspect(folder.path()).unwrap();
        let loaded = FolderPackage::open(folder.path())
            .map_err(DiffusionError::from)
            .and_then(|package| Model::load(&package, DeviceKind::Cpu, &Interrupt::default()));
        let error = loaded.err().map(|error| error.to_string());
        assert_eq!(found.runs(), runs, "{name}: {:?}", found.obstacles);
        assert_eq!(error.is_none(), runs, "{name}: {error:?}");
    }
}

#[test]
fn the_defaults_of_a_model_are_known_without_loading_it() {
    let registry = GeneratorRegistry::built_in(DeviceKind::Cpu);
    let built_in = registry.defaults(BUILT_IN_MODEL).unwrap();
    assert_eq!((built_in.steps, built_in.size), (20, [256, 256]));
    let folder = copy();
    for weights in [UNET, TEXT_ENCODER] {
        fs::remove_file(folder.path().join(weights)).unwrap();
    }
    assert_eq!(registry.defaults(folder.path().to_str().unwrap()), Some(built_in));
    assert_eq!(registry.defaults("nowhere"), None);
}

#[test]
fn a_model_is_loaded_again_if_its_files_or_adapters_changed() {
    let folder = copy();
    let models = LocalModels::new(LoadOptions::new(DeviceKind::Cpu));
    let load = || models.load_named(folder.path().to_str().unwrap(), &Interrupt::default());
    let is_same = |a: &LocalGenerator, b: &LocalGenerator| Arc::ptr_eq(&a.model, &b.model);
    let first = load().unwrap();
    assert!(is_same(&first, &load().unwrap()));

    fs::create_dir_all(folder.path().join("adapters/outline")).unwrap();
    fs::write(folder.path().join("adapters/outline/new.safetensors"), "an adapter").unwrap();
    assert!(!first.is_current());
    let second = load().unwrap();
    assert!(second.is_current() && !is_same(&first, &second));
    assert_ne!(second.card.hash, first.card.hash);

    // The same bytes at a later time may be other ones.
    let weights = fs::read(folder.path().join(UNET)).unwrap();
    fs::write(folder.path().join(UNET), weights).unwrap();
    let third = load().unwrap();
    assert!(!is_same(&second, &third));
    assert_eq!(third.card.hash, second.card.hash);

    fs::remove_file(folder.path().join(UNET)).unwrap();
    assert!(load().is_err());
}

#[test]
fn a_model_that_panicked_is_loaded_again() {
    let control = Interrupt::default();
    let models = LocalModels::new(LoadOptions::new(DeviceKind::Cpu));
    let load = || models.load(BUILT_IN_MODEL, &control).unwrap().unwrap();
    let (mut first, mut second) = (load(), load());
    let model = Arc::clone(&models.last.lock().unwrap().as_ref().unwrap().model);
    let panicked = std::thread::spawn(move || {
        let _model = model.lock();
        panic!("while drawing");
    });
    panicked.join().unwrap_err();
    let recipe = Recipe {
        sampler: crate::recipe::Sampler { steps: Some(1), ..Default::default() },
        ..Recipe::new("a bay", Size::new(64, 64), BUILT_IN_MODEL)
    };
    // Both share the model.
    for generator in [&mut first, &mut second] {
        let error = generator.generate(&recipe, &Inputs::default(), &control).unwrap_err();
        assert!(matches!(error, GenerateError::Panicked(_)), "{error}");
    }
    assert!(load().generate(&recipe, &Inputs::default(), &control).is_ok());
}

/// The built-in model, whose hash only ends with an interruption.
#[derive(Debug)]
struct EndlessHash {
    package: EmbeddedPackage,
    /// Told when hashing begins.
    began: mpsc::SyncSender<()>,
}

impl Package for EndlessHash {
    fn name(&self) -> String {
        self.package.name()
    }

    fn location(&self, file: &str) -> String {
        self.package.location(file)
    }

    fn has(&self, file: &str) -> bool {
        self.package.has(file)
    }

    fn file(&self, file: &str) -> Result<Cow<'_, [u8]>, ModelError> {
        self.package.file(file)
    }

    fn tensors(&self, part: &str) -> Result<Box<dyn TensorSource>, ModelError> {
        self.package.tensors(part)
    }

    fn hash(&self, interrupt: &Interrupt) -> Result<String, ModelError> {
        self.began.send(()).unwrap();
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(20) {
            interrupt.check()?;
        }
        panic!("the hash was not interrupted");
    }

    fn licence(&self) -> Option<String> {
        self.package.licence()
    }

    fn shared(&self) -> Arc<dyn Package> {
        self.package.shared()
    }
}

#[test]
fn a_model_is_hashed_while_it_loads_and_an_error_or_a_cancellation_stops_both() {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
    let (began, hashing) = mpsc::sync_channel(1);
    let package = EndlessHash { package: EmbeddedPackage::built_in(), began };
    let hashing = Mutex::new(hashing);
    let wait = || hashing.lock().unwrap().recv_timeout(Duration::from_secs(20)).unwrap();
    let interrupt = Interrupt::default();
    let error = pool.install(|| {
        load_and_hash(&package, &interrupt, || {
            wait();
            Err(DiffusionError::OtherFiles)
        })
    });
    assert!(matches!(error, Err(DiffusionError::OtherFiles)));
    interrupt.check().unwrap();
    let error = pool.install(|| {
        load_and_hash(&package, &interrupt, || {
            wait();
            let model = Model::load(&package, DeviceKind::Cpu, &interrupt);
            interrupt.cancel();
            model
        })
    });
    assert!(matches!(error, Err(DiffusionError::Cancelled)));
}

#[test]
fn loading_a_model_gives_the_card_of_its_package() {
    let package = EmbeddedPackage::built_in();
    let interrupt = Interrupt::default();
    let options = LoadOptions::new(DeviceKind::Cpu);
    let recipe = Recipe::new("a ship", Size::new(256, 256), BUILT_IN_MODEL);
    let (model, card) = load_model(&package, &options, &recipe, &interrupt).unwrap();
    assert_eq!(card, ModelCard::new(&package, model.grid(), &interrupt).unwrap());
}
