//! Low-rank adapters.

use bevy_illustrator::diffusion::lora::{LoraFile, Loras};

use super::*;

fn lora(name: &str, weight: f32) -> LoraFile {
    LoraFile::open(&fixtures().join(format!("loras/{name}.safetensors")), weight).unwrap()
}

/// The largest difference.
fn apart(a: &Tensor, b: &Tensor) -> f32 {
    (a - b).unwrap().abs().unwrap().max_all().unwrap().to_scalar().unwrap()
}

fn predict(package: &dyn Package, record: &Record) -> Tensor {
    let unet = UNet2DConditionModel::load(package, "unet", &Device::Cpu).unwrap();
    let interrupt = Interrupt::default();
    unet.forward(record.get("sample"), 500.0, &conditioning(record), &interrupt).unwrap()
}

/// `tests/reference/loras.py` records the outputs of diffusers after `fuse_lora`.
#[test]
fn networks_with_a_low_rank_adapter_agree_with_diffusers() {
    for (name, model_name) in
        [("sd1_kohya", "sd1"), ("sd1_peft", "sd1"), ("sd1_old", "sd1"), ("sdxl_kohya", "sdxl")]
    {
        let base = model(model_name);
        let record = Record::of(&format!("lora_{name}"));
        let loras = Loras::new(&base, vec![lora(name, 0.75)]).unwrap();
        let package = loras.applied_to(&base);
        let output = predict(&package, &record);
        record.compare("output", &output);
        assert!(apart(&output, &predict(&base, &record)) > 0.1, "{name} changes the UNet");
        for component in ["text_encoder", "text_encoder_2"] {
            if record.tensors.contains_key(component) {
                let encode = |package: &dyn Package| {
                    let encoder = ClipTextModel::load(package, component, &Device::Cpu).unwrap();
                    encoder.encode(record.get("ids")).unwrap()
                };
                let encoded = encode(&package);
                record.compare(component, &encoded);
                let is_changed = apart(&encoded, &encode(&base)) > 0.1;
                assert_eq!(is_changed, name.ends_with("kohya"), "{name}: {component}");
            }
        }
        loras.check_used().unwrap();
    }
}

#[test]
fn adapters_add_up_and_a_weight_scales_them() {
    let base = model("sd1");
    let record = Record::of("lora_sd1_peft");
    let with = |files: Vec<LoraFile>| {
        predict(&Loras::new(&base, files).unwrap().applied_to(&base), &record)
    };
    let whole = with(vec![lora("sd1_peft", 0.75)]);
    let halves = with(vec![lora("sd1_peft", 0.5), lora("sd1_peft", 0.25)]);
    // Rounding differs between processors: the sums of one without AVX-512 are 1.1e-5 apart.
    let close = |a: &Tensor, b: &Tensor| assert!(f64::from(apart(a, b)) < TOLERANCE);
    close(&whole, &halves);
    let nothing = with(vec![lora("sd1_peft", 0.75), lora("sd1_peft", -0.75)]);
    close(&nothing, &predict(&base, &record));
}

#[test]
fn an_adapter_of_another_family_is_refused_with_its_layer() {
    let (sd1, sdxl) = (model("sd1"), model("sdxl"));
    let loras = Loras::new(&sd1, vec![lora("sdxl_kohya", 1.0)]).unwrap();
    let error = UNet2DConditionModel::load(&loras.applied_to(&sd1), "unet", &Device::Cpu)
        .map_err(|error| error.to_string())
        .and_then(|_| loras.check_used().map_err(|error| error.to_string()))
        .unwrap_err();
    assert!(error.contains("sdxl_kohya.safetensors") && error.contains("lora_"), "{error}");
    let loras = Loras::new(&sdxl, vec![lora("sd1_old", 1.0)]).unwrap();
    let error =
        UNet2DConditionModel::load(&loras.applied_to(&sdxl), "unet", &Device::Cpu).unwrap_err();
    let error = error.to_string();
    assert!(
        error.contains("to_k_lora.down.weight") || error.contains("_lora.down.weight"),
        "{error}"
    );
    assert!(error.contains("of the shape"), "{error}");
}

#[test]
fn files_of_other_kinds_are_refused_with_their_kind() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.safetensors");
    let error = |names: &[&str]| {
        let matrix = Tensor::zeros((2, 2), DType::F32, &Device::Cpu).unwrap();
        let tensors = names.iter().map(|name| ((*name).to_owned(), matrix.clone()));
        candle_core::safetensors::save(&tensors.collect::<HashMap<_, _>>(), &file).unwrap();
        LoraFile::open(&file, 1.0).err().unwrap().to_string()
    };
    let down = "lora_unet_a.lora_down.weight";
    for (names, kind) in [
        (&[down, "lora_unet_a.dora_scale"][..], "DoRA"),
        (&["lora_unet_a.hada_w1_a"], "LoHa"),
        (&["lora_unet_a.lokr_w1"], "LoKr"),
        (&[down, "lora_unet_a.lora_mid.weight"], "Tucker"),
        (&[down, "emb_params"], "`emb_params`"),
        (&["a.alpha"], "without low-rank matrices"),
    ] {
        let found = error(names);
        assert!(found.contains(kind) && found.contains("a.safetensors"), "{found}");
    }
}
