//! Pictures of Z-Image in separate files.

use std::{collections::HashMap, fs, path::Path};

use bevy_illustrator::{
    diffusion::{DeviceKind, DiffusionError, DrawRequest, Interrupt, Model, Noise},
    generator::open_model,
    model::{
        FolderPackage, ModelDefaults, Package, TensorSource, tensors::GgufFile, with_transformer,
    },
    recipe::{Images, Size},
};
use candle_core::{DType, Device, Tensor};
use image::RgbaImage;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{
    copy_folder::copy_folder,
    fixture,
    klein::{load, sampler},
    tensors,
};

const VAE: &str = "vae/diffusion_pytorch_model.safetensors";

/// The number by which the channels of the fixture's autoencoder are multiplied, so that its norms have 32 groups.
const WIDER: usize = 8;

fn part(name: &str) -> String {
    fixture("single_files").join(name).display().to_string()
}

/// A tensor of the fixture's autoencoder with more channels. Those of pictures and latents stay.
fn widened(name: &str, tensor: &Tensor) -> Tensor {
    let tensor = tensor.to_dtype(DType::F32).unwrap();
    let keeps = |names: &[&str]| names.iter().any(|it| name.starts_with(it));
    let mut repeats = vec![1; tensor.rank()];
    if !keeps(&["encoder.conv_out", "decoder.conv_out"]) {
        repeats[0] = WIDER;
    }
    if repeats.len() > 1 && !keeps(&["encoder.conv_in", "decoder.conv_in"]) {
        repeats[1] = WIDER;
        return (tensor.repeat(repeats).unwrap() / WIDER as f64).unwrap();
    }
    tensor.repeat(repeats).unwrap()
}

/// The name of a tensor of an autoencoder of four levels in LDM, and the tensor.
fn ldm(name: &str, tensor: &Tensor) -> (String, Tensor) {
    let mut found = name
        .replace("mid_block.resnets.0", "mid.block_1")
        .replace("mid_block.resnets.1", "mid.block_2")
        .replace("down_blocks.", "down.")
        .replace(".resnets.", ".block.")
        .replace(".downsamplers.0.", ".downsample.")
        .replace(".upsamplers.0.", ".upsample.")
        .replace("conv_norm_out", "norm_out")
        .replace("conv_shortcut", "nin_shortcut");
    for level in 0..4 {
        let (ours, theirs) = (format!("up_blocks.{level}."), format!("up.{}.", 3 - level));
        found = found.replace(&ours, &theirs);
    }
    if !found.contains("attentions.0") {
        return (found, tensor.clone());
    }
    for (ours, theirs) in [
        ("group_norm", "norm"),
        ("to_q", "q"),
        ("to_k", "k"),
        ("to_v", "v"),
        ("to_out.0", "proj_out"),
    ] {
        found = found
            .replace(&format!("mid_block.attentions.0.{ours}."), &format!("mid.attn_1.{theirs}."));
    }
    // The projections are convolutions there.
    match tensor.dims2() {
        Ok((rows, columns)) => (found, tensor.reshape((rows, columns, 1, 1)).unwrap()),
        Err(_) => (found, tensor.clone()),
    }
}

/// Saves an autoencoder as a file in the names of LDM.
fn save_ldm(vae: &HashMap<String, Tensor>, path: &Path) -> String {
    let vae: HashMap<_, _> = vae.iter().map(|(name, tensor)| ldm(name, tensor)).collect();
    candle_core::safetensors::save(&vae, path).unwrap();
    path.display().to_string()
}

fn change(folder: &Path, file: &str, change: impl Fn(&mut Value)) {
    let path = folder.join(file);
    let mut json: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    change(&mut json);
    fs::write(path, json.to_string()).unwrap();
}

/// A folder with the constants of the published model, and with an autoencoder whose norms have 32 groups. Also returns the
/// tensors of the autoencoder.
fn published() -> (TempDir, HashMap<String, Tensor>) {
    let folder = tempfile::tempdir().unwrap();
    copy_folder(&fixture("z_image"), folder.path());
    change(folder.path(), "transformer/config.json", |config| {
        (config["axes_dims"], config["rope_theta"]) = (json!([4, 6, 6]), json!(256.0));
        (config["norm_eps"], config["t_scale"]) = (json!(1e-5), json!(1000.0));
    });
    change(folder.path(), "vae/config.json", |config| {
        (config["norm_num_groups"], config["block_out_channels"]) =
            (json!(32), json!([32, 32, 64, 64]));
        (config["scaling_factor"], config["shift_factor"]) = (json!(0.3611), json!(0.1159));
    });
    let vae: HashMap<_, _> = tensors(&format!("z_image/{VAE}"))
        .iter()
        .map(|(name, tensor)| (name.clone(), widened(name, tensor)))
        .collect();
    candle_core::safetensors::save(&vae, folder.path().join(VAE)).unwrap();
    (folder, vae)
}

fn draw(model: &mut Model, guidance: f32) -> RgbaImage {
    let request = DrawRequest {
        prompt: "a red lighthouse by the sea at night".to_owned(),
        negative_prompt: "fog".to_owned(),
        size: Size::new(48, 32),
        sampler: sampler(2, guidance),
        noise: Noise::Seed(7),
        inspirations: Vec::new(),
        losses: Vec::new(),
        score: false,
        images: Images::new(),
    };
    model.draw(&request, &Interrupt::default(), &mut []).unwrap().image
}

fn opened(model: &str, encoders: &[String], vae: Option<&str>) -> Result<Model, DiffusionError> {
    let parts = open_model(model, encoders, vae)?;
    Model::load(&*parts, DeviceKind::Cpu, &Interrupt::default())
}

#[test]
fn a_model_of_three_files_draws_as_the_same_model_in_a_folder() {
    let (folder, vae) = published();
    let (transformer, encoders) =
        (part("z_image_original.gguf"), [part("z_image_text_encoder.gguf")]);
    let vae = save_ldm(&vae, &folder.path().join("ae.safetensors"));
    let whole = FolderPackage::open(folder.path()).unwrap();
    let whole = with_transformer(whole.shared(), Path::new(&transformer)).unwrap();
    // The same weights in safetensors.
    let wide = folder.path().join("z_image.safetensors");
    let gguf = GgufFile::open(Path::new(&transformer)).unwrap();
    let names = gguf.header().names().map(str::to_owned);
    let get = |name: &str| gguf.get(name, DType::F32, &Device::Cpu).unwrap();
    let tensors: HashMap<_, _> = names.map(|name| (name.clone(), get(&name))).collect();
    candle_core::safetensors::save(&tensors, &wide).unwrap();

    let wide = wide.display().to_string();
    let pictures = [0.0, 4.0].map(|guidance| {
        let expected = draw(&mut load(&whole), guidance);
        for model in [&transformer, &wide] {
            let drawn = draw(&mut opened(model, &encoders, Some(&vae)).unwrap(), guidance);
            assert!(drawn == expected, "the pictures of {model} with {guidance} differ");
        }
        assert!(expected.pixels().any(|pixel| pixel != expected.get_pixel(0, 0)));
        expected
    });
    assert!(pictures[0] != pictures[1], "an author can guide the base model");
    let parts = open_model(&transformer, &encoders, Some(&vae)).unwrap();
    let defaults = ModelDefaults::of(&*parts).unwrap();
    assert_eq!((defaults.steps, defaults.guidance_scale), (8, 0.0));
    assert_eq!(parts.config("scheduler").unwrap()["shift"], json!(3.0));
}

#[test]
fn a_text_encoder_in_safetensors_brings_the_tokenizer_beside_it() {
    let (folder, vae) = published();
    let vae = save_ldm(&vae, &folder.path().join("ae.safetensors"));
    let transformer = part("z_image_original.gguf");
    let open = |encoder: &Path| opened(&transformer, &[encoder.display().to_string()], Some(&vae));
    let expected = draw(&mut open(Path::new(&part("z_image_text_encoder.gguf"))).unwrap(), 0.0);

    let diffusers = folder.path().join("text_encoder");
    let drawn = draw(&mut open(&diffusers).unwrap(), 0.0);
    assert!(drawn == expected, "a folder draws another picture");

    // The constants of the published model, which a file in safetensors does not tell.
    change(folder.path(), "text_encoder/config.json", |config| {
        config["rms_norm_eps"] = json!(1e-6);
        config["rope_parameters"]["rope_theta"] = json!(1e6);
    });
    let expected = draw(&mut open(&diffusers).unwrap(), 0.0);
    let encoders = tempfile::tempdir().unwrap();
    let encoder = encoders.path().join("qwen_3.safetensors");
    fs::copy(diffusers.join("model.safetensors"), &encoder).unwrap();
    let refused = open(&encoder).err().unwrap().to_string();
    assert!(refused.contains("put tokenizer.json of Qwen3 beside"), "{refused}");
    for name in ["tokenizer.json", "tokenizer_config.json"] {
        let tokenizer = folder.path().join("tokenizer").join(name);
        fs::copy(tokenizer, encoders.path().join(name)).unwrap();
    }
    let drawn = draw(&mut open(&encoder).unwrap(), 0.0);
    assert!(drawn == expected, "a file draws another picture");

    let hash = || {
        let names = [encoder.display().to_string()];
        let package = open_model(&transformer, &names, Some(&vae)).unwrap();
        package.hash(&Interrupt::default()).unwrap()
    };
    let before = hash();
    let tokenizer = encoders.path().join("tokenizer.json");
    fs::write(&tokenizer, fs::read_to_string(&tokenizer).unwrap() + "\n").unwrap();
    assert_ne!(hash(), before, "the tokenizer is part of the model's identity");
}

#[test]
fn a_missing_or_wrong_part_is_an_error_that_names_it() {
    let (folder, mut vae) = published();
    let (transformer, encoders) =
        (part("z_image_original.gguf"), [part("z_image_text_encoder.gguf")]);
    let own = save_ldm(&vae, &folder.path().join("ae.safetensors"));
    for (name, axis) in [
        ("decoder.conv_in.weight", 1),
        ("encoder.conv_out.weight", 0),
        ("encoder.conv_out.bias", 0),
    ] {
        let tensor = vae[name].clone();
        let half = tensor.narrow(axis, 0, tensor.dims()[axis] / 2).unwrap();
        vae.insert(name.to_owned(), half.contiguous().unwrap());
    }
    let other = save_ldm(&vae, &folder.path().join("other.safetensors"));
    let klein = fixture("klein/vae").display().to_string();
    for (encoders, vae, words) in [
        (&[][..], Some(own.as_str()), ["has no text encoder", "--text-encoder"]),
        (&encoders, None, ["has no autoencoder", "ae.safetensors"]),
        (&encoders, Some(&other), ["`in_channels` is 4", "expected 2"]),
        (&encoders, Some(&other), ["z_image_original.gguf", "other.safetensors"]),
        (&encoders, Some(&klein), ["z_image_original.gguf", "klein/vae"]),
        (&[part("types.gguf")], Some(&own), ["types.gguf", "a Qwen3 language model"]),
    ] {
        let error = opened(&transformer, encoders, vae).err().unwrap().to_string();
        assert!(words.iter().all(|word| error.contains(word)), "{error}");
    }
    // A model that has an autoencoder keeps it.
    let mut model = opened(&transformer, &encoders, Some(&own)).unwrap();
    let before = draw(&mut model, 0.0);
    for vae in [&other, &klein] {
        let refused = model.set_vae(Some(vae), &Interrupt::default()).unwrap_err();
        assert!(matches!(refused, DiffusionError::OtherLatents { .. }), "{refused}");
    }
    assert!(draw(&mut model, 0.0) == before);
}
