//! Low-rank adapters for the transformers of FLUX.2 Klein and Z-Image.

use std::path::PathBuf;

use bevy_illustrator::{
    diffusion::{
        Denoiser, DenoiserInput, DiffusionError,
        denoise::{flux2::Flux2Transformer2DModel, z_image::ZImageTransformer2DModel},
        lora::LoraFile,
    },
    generator::inspect,
    model::{BaseModel, with_transformer},
};
use candle_core::Var;

use super::{klein_files::with_heads_of_16, *};

fn path(name: &str) -> PathBuf {
    fixtures().join(format!("loras/{name}.safetensors"))
}

fn klein(package: &dyn Package) -> Box<dyn Denoiser> {
    Box::new(Flux2Transformer2DModel::load(package, "transformer", true, &Device::Cpu).unwrap())
}

fn z_image() -> Box<dyn Denoiser> {
    let package = model("z_image");
    Box::new(ZImageTransformer2DModel::load(&package, "transformer", &Device::Cpu).unwrap())
}

/// The network with these files and weights, of which each layer is used.
fn with_loras(
    network: &dyn Denoiser,
    files: &[(&str, f32)],
) -> Result<Box<dyn Denoiser>, DiffusionError> {
    let open = |(name, weight): &(&str, f32)| LoraFile::open(&path(name), *weight);
    let loras = files.iter().map(open).collect::<Result<Vec<_>, _>>()?;
    let changed = network.with_loras(&loras, &Device::Cpu)?.unwrap();
    loras.iter().try_for_each(LoraFile::check_used)?;
    Ok(changed)
}

fn predict(network: &dyn Denoiser, latents: &Tensor, record: &Record) -> Tensor {
    let conditioning = Conditioning::new(record.get("context").clone());
    let interrupt = Interrupt::default();
    network.predict(&DenoiserInput::new(latents, 437.5, &conditioning, &interrupt)).unwrap()
}

/// Compares the prediction with these files, and its gradient, with diffusers.
fn compare(network: &dyn Denoiser, name: &str, files: &[(&str, f32)]) {
    let record = Record::of(&format!("lora_{name}"));
    let changed = with_loras(network, files).unwrap();
    let latents = Var::from_tensor(record.get("latents")).unwrap();
    let output = predict(&*changed, &latents, &record);
    record.compare("output", &output);
    let gradients = output.sqr().unwrap().sum_all().unwrap().backward().unwrap();
    let expected = record.get("latents_gradient");
    assert_gradients_agree(name, gradients.get(&latents).unwrap(), expected);
    let difference = (output - predict(network, &latents, &record)).unwrap().abs().unwrap();
    let difference = difference.max_all().unwrap().to_scalar::<f32>().unwrap();
    assert!(difference > 0.1, "{name} changes the prediction");
}

/// `tests/reference/flow_loras.py` records what diffusers predicts with adapters that it loads.
#[test]
fn transformers_with_low_rank_adapters_agree_with_diffusers() {
    let klein = klein(&model("klein"));
    let z_image = z_image();
    for (network, family) in [(&klein, "klein"), (&z_image, "z_image")] {
        let [peft, kohya, both] = ["peft", "kohya", "both"].map(|kind| format!("{family}_{kind}"));
        compare(&**network, &peft, &[(&peft, 0.75)]);
        compare(&**network, &kohya, &[(&kohya, 0.75)]);
        compare(&**network, &both, &[(&peft, 0.5), (&kohya, -0.25)]);
    }
    compare(&*klein, "klein_alphas", &[("klein_alphas", 0.75)]);
}

#[test]
fn adapters_in_the_original_names_agree_beside_weights_in_bf16_and_in_blocks() {
    compare(&*z_image(), "z_image_original", &[("z_image_original", 0.75)]);
    let blocks = with_heads_of_16();
    let blocks = FolderPackage::open(blocks.path()).unwrap();
    for (package, name, file) in [
        (&model("klein"), "klein_original", "klein_original.safetensors"),
        (&blocks, "klein_blocks", "klein_original.gguf"),
    ] {
        let file = fixtures().join("single_files").join(file);
        let package = with_transformer(package.shared(), &file).unwrap();
        compare(&*klein(&package), name, &[(name, 0.75)]);
    }
}

#[test]
fn other_adapters_replace_those_before() {
    let (network, record) = (klein(&model("klein")), Record::of("lora_klein_kohya"));
    let latents = record.get("latents");
    let changed = with_loras(&*network, &[("klein_peft", 1.0)]).unwrap();
    let again = with_loras(&*changed, &[("klein_kohya", 0.75)]).unwrap();
    record.compare("output", &predict(&*again, latents, &record));
    let [plain, found] = [&network, &with_loras(&*again, &[]).unwrap()]
        .map(|network| numbers(&predict(&**network, latents, &record)));
    assert_eq!(plain, found);
}

#[test]
fn adapters_for_other_transformers_are_refused_with_the_layer() {
    let klein = klein(&model("klein"));
    for (name, reason) in [
        ("z_image_peft", "a layer that this model does not have"),
        ("sd1_kohya", "a layer that this model does not have"),
        // A network of another width.
        ("klein_blocks", "of the shape"),
    ] {
        let error = with_loras(&*klein, &[(name, 1.0)]).err().unwrap().to_string();
        assert!(error.contains(reason) && error.contains(name), "{error}");
    }
    // Both have a layer of this name.
    let error = with_loras(&*z_image(), &[("klein_kohya", 1.0)]).err().unwrap().to_string();
    assert!(error.contains("lora_unet_final_layer_linear"), "{error}");
}

#[test]
fn the_inspection_of_an_adapter_names_its_base() {
    use BaseModel::{Flux2Klein, ZImage};
    for (name, base) in [
        ("klein_peft", Some(Flux2Klein)),
        ("klein_kohya", Some(Flux2Klein)),
        ("klein_original", Some(Flux2Klein)),
        ("klein_alphas", None),
        ("z_image_peft", Some(ZImage)),
        ("z_image_kohya", Some(ZImage)),
        ("z_image_original", Some(ZImage)),
    ] {
        let found = inspect(&path(name)).unwrap();
        assert_eq!(found.base, base, "{name}");
        assert!(found.is_usable_lora(), "{name}: {:?}", found.obstacles);
    }
    for (name, base) in [("klein", Flux2Klein), ("z_image", ZImage)] {
        let found = inspect(&fixtures().join(name)).unwrap();
        assert_eq!((found.base, found.runs()), (Some(base), true), "{:?}", found.obstacles);
    }
}
