//! Compares adapters as single files without a configuration with diffusers.

use bevy_illustrator::diffusion::{
    Denoiser,
    adapter::{AdapterPlaces, ControlNet, SingleFile, T2iAdapter},
};

use super::*;

const COMPONENT: &str = "adapters/outline";

type Tensors = HashMap<String, Tensor>;

/// The denoiser of a small model, and the single file of an adapter.
struct ModelFolder {
    folder: tempfile::TempDir,
    places: AdapterPlaces,
}

impl ModelFolder {
    fn new(name: &str, adapter: &Tensors) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for part in ["unet", COMPONENT] {
            std::fs::create_dir_all(folder.path().join(part)).unwrap();
        }
        let config = "unet/config.json";
        std::fs::copy(fixtures().join(name).join(config), folder.path().join(config)).unwrap();
        let file = folder.path().join(COMPONENT).join("lineart v1.1.safetensors");
        candle_core::safetensors::save(adapter, file).unwrap();
        let unet = UNet2DConditionModel::load(&model(name), "unet", &Device::Cpu).unwrap();
        Self { folder, places: unet.adapter_places().unwrap() }
    }

    fn package(&self) -> FolderPackage {
        FolderPackage::open(self.folder.path()).unwrap()
    }

    fn control_net(&self) -> Result<ControlNet, DiffusionError> {
        let package = self.package();
        let file = SingleFile::detect(&package, COMPONENT, &self.places)?.unwrap();
        let network = ControlNet::load(&file, COMPONENT, &Device::Cpu)?;
        network.check(&self.places)?;
        Ok(network)
    }

    fn t2i_adapter(&self) -> Result<T2iAdapter, DiffusionError> {
        let package = self.package();
        let file = SingleFile::detect(&package, COMPONENT, &self.places)?.unwrap();
        T2iAdapter::load(&file, COMPONENT, &Device::Cpu)
    }

    fn error(&self) -> String {
        let error = SingleFile::detect(&self.package(), COMPONENT, &self.places).unwrap_err();
        let error = error.to_string();
        assert!(error.contains("outline/lineart v1.1.safetensors"), "{error}");
        error
    }
}

fn load(path: &str) -> Tensors {
    candle_core::safetensors::load(fixtures().join(path), &Device::Cpu).unwrap()
}

/// The tensors by the names in `single_files/NAME.json`, with a prefix.
fn renamed(tensors: &Tensors, names: &str, prefix: &str) -> Tensors {
    let names = std::fs::read(fixtures().join(format!("single_files/{names}.json"))).unwrap();
    let names: HashMap<String, String> = serde_json::from_slice(&names).unwrap();
    assert_eq!(names.len(), tensors.len());
    let renamed = names.iter().map(|(name, of)| (format!("{prefix}{name}"), tensors[of].clone()));
    renamed.collect()
}

/// Compares the residuals of a network with those whose names begin with `prefix`.
fn compare_residuals(record: &Record, prefix: &str, network: &ControlNet) {
    let drawing = network.embed(record.get("drawing")).unwrap();
    let (noisy, mut states) =
        (record.get("noisy"), Conditioning::new(record.get("states").clone()));
    if let Some(pooled) = record.tensors.get("pooled") {
        states = states.with_pooled(pooled.clone());
    }
    let residuals = network.residuals(noisy, 500.0, &states, &drawing, &Interrupt::default());
    let residuals = residuals.unwrap();
    let name = |index: usize| format!("{prefix}residuals.{index}");
    assert!(!record.tensors.contains_key(&name(residuals.len())));
    for (index, residual) in residuals.iter().enumerate() {
        record.compare(&name(index), residual);
    }
}

const SD1: &str = "sd1_control_net/diffusion_pytorch_model.safetensors";
const XL: &str = "sdxl_adapters/control_net/diffusion_pytorch_model.safetensors";
const SD2: &str = "single_files/control_net_of_sd2.safetensors";

#[test]
fn a_control_net_in_a_single_file_agrees_with_diffusers_by_each_names() {
    let (record, tensors) = (Record::of("sd1_control_net"), load(SD1));
    let of_diffusers = ModelFolder::new("sd1", &tensors);
    compare_residuals(&record, "", &of_diffusers.control_net().unwrap());
    for prefix in ["control_model.", ""] {
        let original = renamed(&tensors, "control_net_of_sd1", prefix);
        let original = ModelFolder::new("sd1", &original);
        compare_residuals(&record, "", &original.control_net().unwrap());
    }
}

#[test]
fn a_control_net_of_xl_in_a_single_file_agrees_with_diffusers_by_each_names() {
    let (record, tensors) = (Record::of("sdxl_adapters"), load(XL));
    let originals =
        ["control_model.", ""].map(|prefix| renamed(&tensors, "control_net_of_sdxl", prefix));
    for tensors in originals.iter().chain([&tensors]) {
        let network = ModelFolder::new("sdxl", tensors).control_net().unwrap();
        compare_residuals(&record, "", &network);
    }
}

#[test]
fn a_union_control_net_in_a_single_file_agrees_with_diffusers() {
    let record = Record::of("sdxl_union_control_net");
    let file = "sdxl_adapters/union_control_net/diffusion_pytorch_model.safetensors";
    let network = ModelFolder::new("sdxl", &load(file)).control_net().unwrap();
    compare_residuals(&record, "lines.", &network);
}

#[test]
fn a_t2i_adapter_of_xl_in_a_single_file_agrees_with_diffusers_by_each_names() {
    let record = Record::of("sdxl_adapters");
    let tensors = load("sdxl_adapters/t2i_adapter/diffusion_pytorch_model.safetensors");
    let originals =
        ["", "adapter."].map(|prefix| renamed(&tensors, "full_adapter_of_sdxl", prefix));
    for tensors in originals.into_iter().chain([tensors]) {
        let folder = ModelFolder::new("sdxl", &tensors);
        let adapter = folder.t2i_adapter().unwrap();
        adapter.check(&folder.places).unwrap();
        let features = adapter.forward(record.get("features.input")).unwrap();
        assert_eq!(features.len(), 4);
        for (level, feature) in features.iter().enumerate() {
            record.compare(&format!("features.{level}"), feature);
        }
    }
}

#[test]
fn a_control_net_with_linear_projections_and_other_heads_agrees_with_diffusers() {
    let folder = ModelFolder::new("sd2", &load(SD2));
    compare_residuals(&Record::of("sd2_control_net"), "", &folder.control_net().unwrap());
}

#[test]
fn a_t2i_adapter_in_a_single_file_agrees_with_diffusers_by_each_names() {
    let record = Record::of("sd1_adapters");
    for kind in ["full", "light"] {
        let tensors = load(&format!("sd1_adapters/{kind}/diffusion_pytorch_model.safetensors"));
        let names = format!("{kind}_adapter_of_sd1");
        let originals = ["", "adapter."].map(|prefix| renamed(&tensors, &names, prefix));
        for tensors in originals.into_iter().chain([tensors]) {
            let adapter = ModelFolder::new("sd1", &tensors).t2i_adapter().unwrap();
            assert_eq!(adapter.in_channels(), if kind == "full" { 3 } else { 1 });
            let features = adapter.forward(record.get(&format!("{kind}.input"))).unwrap();
            assert_eq!(features.len(), 4, "{kind}");
            for (level, feature) in features.iter().enumerate() {
                record.compare(&format!("{kind}.features.{level}"), feature);
            }
        }
    }
}

#[test]
fn an_ip_adapter_is_not_taken_for_a_drawing_adapter() {
    let folder = ModelFolder::new("sd1", &load("sd1_adapters/plus.safetensors"));
    let package = folder.package();
    assert!(SingleFile::detect(&package, COMPONENT, &folder.places).unwrap().is_none());
}

fn tensor(shape: &[usize]) -> Tensor {
    Tensor::zeros(shape, DType::F32, &Device::Cpu).unwrap()
}

#[test]
fn a_file_of_a_kind_that_is_not_supported_is_named() {
    for (name, kind) in [
        ("lora_controlnet", "a LoRA ControlNet"),
        ("difference", "the difference of a ControlNet to a denoiser"),
        ("controlnet_x_embedder.weight", "a ControlNet of a transformer such as FLUX"),
        ("controlnet_blocks.0.weight", "a ControlNet of a transformer such as Stable Diffusion 3"),
    ] {
        let mut tensors = load(SD1);
        tensors.insert(name.to_owned(), tensor(&[1]));
        let error = ModelFolder::new("sd1", &tensors).error();
        assert!(error.contains(&format!("is {kind}")), "{error}");
    }
    for (name, kind) in [
        ("style_embedding", "a style adapter of T2I-Adapter"),
        ("lora_unet_mid_block_attentions_0_proj_in.lora_down.weight", "a LoRA"),
        (
            "lllite_unet_middle_block_1_transformer_blocks_0_attn1_to_q.down.0.weight",
            "a ControlNet-LLLite",
        ),
        ("model.diffusion_model.input_blocks.0.0.weight", "a whole model"),
        ("unknown", "no adapter that is known here"),
    ] {
        let tensors = HashMap::from([(name.to_owned(), tensor(&[1]))]);
        let error = ModelFolder::new("sd1", &tensors).error();
        assert!(error.contains(&format!("is {kind}")), "{error}");
    }
    let mut adapter = load("sd1_adapters/light/diffusion_pytorch_model.safetensors");
    adapter.insert("adapter.body.0.in_conv.weight".to_owned(), tensor(&[2, 256, 1, 1]));
    let error = ModelFolder::new("sd1", &adapter).error();
    assert!(error.contains("is a light T2I-Adapter of Stable Diffusion XL"), "{error}");
}

/// The tensors of a ControlNet of XL without attention, as in `controlnet-canny-sdxl-1.0-small`.
#[test]
fn a_small_control_net_of_xl_has_no_attention() {
    let mut tensors = load(XL);
    tensors.retain(|name, _| {
        let is_attention = name.contains(".attentions.");
        !is_attention && !name.starts_with("mid_block.resnets.1.")
    });
    let network = ModelFolder::new("sdxl", &tensors).control_net().unwrap();
    assert_eq!(network.cells().count(), 7);
}

#[test]
fn a_control_net_of_xl_is_not_one_of_stable_diffusion_1() {
    let error = ModelFolder::new("sd1", &load(XL)).error();
    assert!(error.contains("the width of its tokens is [32], but [24]"), "{error}");
    let error = ModelFolder::new("sdxl", &load(SD1)).error();
    assert!(error.contains("the width of its tokens is [24], but [32]"), "{error}");
}

#[test]
fn a_single_file_for_another_model_is_refused_with_both_widths() {
    let error = ModelFolder::new("sd1", &load(SD2)).error();
    assert!(error.contains("the width of its tokens is [20], but [24]"), "{error}");
    let wide = renamed(&load(SD1), "control_net_of_sd1", "");
    let error = ModelFolder::new("sd2", &wide).error();
    assert!(error.contains("the width of its tokens is [24], but [20]"), "{error}");
    // All tokens are equal, and the levels are not.
    let mut folder = ModelFolder::new("sd1", &wide);
    folder.places.skips.pop();
    let error = folder.error();
    assert!(error.contains("the width of its skipped feature maps is [8, 8, 8, 16"), "{error}");
}

#[test]
fn a_missing_or_damaged_tensor_is_named_as_in_the_file() {
    let complete = renamed(&load(SD1), "control_net_of_sd1", "control_model.");
    for name in [
        "control_model.input_blocks.3.0.in_layers.2.weight",
        "control_model.input_blocks.2.0.op.bias",
        "control_model.middle_block.2.out_layers.3.weight",
        "control_model.zero_convs.4.0.weight",
    ] {
        let mut tensors = complete.clone();
        tensors.remove(name);
        let error = ModelFolder::new("sd1", &tensors).control_net().unwrap_err().to_string();
        assert!(error.contains("lineart v1.1.safetensors"), "{error}");
        // Without its first convolution, a block has no shape.
        assert!(error.contains(&format!("`{name}` is missing")), "{error}");
    }
    let mut tensors = complete;
    let drawing = "control_model.input_hint_block.0.weight".to_owned();
    tensors.insert(drawing, tensor(&[4, 1, 3, 3]));
    let error = ModelFolder::new("sd1", &tensors).control_net().unwrap_err().to_string();
    assert!(error.contains("v1.1.safetensors: `conditioning_channels` is 1"), "{error}");
}
