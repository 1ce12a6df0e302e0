//! Autoencoders and text encoders in files of their own, and single files that lack them.

use std::sync::Arc;

use bevy_illustrator::{
    diffusion::{
        DeviceKind, autoencoder,
        text::{TextEncoder, clip::ClipTextEncoder},
    },
    generator::{GeneratorRegistry, Inputs},
    model::{
        ModelError,
        inspect::{Obstacle, inspect},
        ldm::Checkpoint,
        package::config_file,
        with_text_encoders, with_vae,
    },
    recipe::{Recipe, Sampler, Size},
};

use super::{
    checkpoints::file,
    ldm_files::{Tensors, tensors, widened, with_clip_vocabulary},
    *,
};

#[test]
fn a_vae_in_a_file_of_its_own_has_the_tensors_of_diffusers_under_either_prefix() {
    let folder = tempfile::tempdir().unwrap();
    let package: Arc<dyn Package> = Arc::new(model("sd1"));
    let whole = tensors("sd1");
    let expected = fixtures().join("sd1/vae/diffusion_pytorch_model.safetensors");
    for prefix in ["first_stage_model.", ""] {
        let of_vae = whole.iter().filter_map(|(name, tensor)| {
            let name = name.strip_prefix("first_stage_model.")?;
            Some((format!("{prefix}{name}"), tensor.clone()))
        });
        let file = file(folder.path(), &of_vae.collect());
        let package = with_vae(Arc::clone(&package), &file).unwrap();
        let found = package.tensors("vae").unwrap();
        for (name, expected) in candle_core::safetensors::load(&expected, &Device::Cpu).unwrap() {
            let found = found.get(&name, DType::F32, &Device::Cpu).unwrap();
            assert_eq!(found.dims(), expected.dims(), "{name}");
            let values = |tensor: &Tensor| tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
            assert_eq!(values(&found), values(&expected), "{name}");
        }
        autoencoder::load(&package, "vae", &Device::Cpu).unwrap();
    }
    let lora = fixtures().join("loras/sd1_kohya.safetensors");
    let error = with_vae(package, &lora).unwrap_err().to_string();
    assert!(error.contains("sd1_kohya.safetensors") && error.contains("VAE"), "{error}");
}

/// The tensors with one of the prefixes instead of the first one.
fn renamed(tensors: &Tensors, from: &str, to: &str) -> Tensors {
    let of = tensors.iter().filter_map(|(name, tensor)| {
        Some((format!("{to}{}", name.strip_prefix(from)?), tensor.clone()))
    });
    of.collect()
}

/// The tokens of a text encoder for a few ids.
fn encoded(package: &dyn Package, component: &str) -> Vec<f32> {
    let encoder = ClipTextModel::load(package, component, &Device::Cpu).unwrap();
    let ids = Tensor::new(&[[3_u32, 1, 4, 1, 5]], &Device::Cpu).unwrap();
    encoder.encode(&ids).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

#[test]
fn a_text_encoder_in_a_file_of_its_own_encodes_as_that_of_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    for (name, component, ldm, other) in [
        ("sd1", "text_encoder", "cond_stage_model.transformer.", ["", "text_model."]),
        ("sd2", "text_encoder", "cond_stage_model.model.", ["", ""]),
        ("sdxl", "text_encoder", "conditioner.embedders.0.transformer.", ["", "text_model."]),
        ("sdxl", "text_encoder_2", "conditioner.embedders.1.model.", ["", ""]),
    ] {
        let package: Arc<dyn Package> = Arc::new(model(name));
        let expected = encoded(&*package, component);
        let whole = tensors(name);
        let mut files = vec![renamed(&whole, ldm, ldm), renamed(&whole, ldm, other[0])];
        files.push(renamed(&whole, &format!("{ldm}{}", other[1]), ""));
        for mut tensors in files {
            if name == "sd2" {
                // The last layer has no effect, and is not in the folder.
                let last = tensors.iter().filter(|(name, _)| name.contains("resblocks.1."));
                let last =
                    last.map(|(name, x)| (name.replace("resblocks.1.", "resblocks.2."), x.clone()));
                let last: Vec<_> = last.collect();
                tensors.extend(last);
            }
            let path = file(folder.path(), &tensors).display().to_string();
            let replaced = with_text_encoders(Arc::clone(&package), &[path]).unwrap();
            assert_eq!(encoded(&*replaced, component), expected, "{name} {component}");
            // A network that is loaded later has it, too.
            assert_eq!(encoded(&*replaced.shared(), component), expected);
            let hash = |package: &dyn Package| package.hash(&Interrupt::default()).unwrap();
            assert_ne!(hash(&*replaced), hash(&*package));
            assert_ne!(replaced.fingerprint(), package.fingerprint());
        }
        let path = fixtures().join(name).join(component).display().to_string();
        let replaced = with_text_encoders(Arc::clone(&package), &[path]).unwrap();
        assert_eq!(encoded(&*replaced, component), expected, "{name} {component}: the folder");
    }
}

#[test]
fn a_single_file_without_text_encoder_has_those_that_are_given() {
    let folder = tempfile::tempdir().unwrap();
    for (name, encoders) in [
        ("sd1", &["cond_stage_model."][..]),
        ("sd2", &["cond_stage_model."]),
        ("sdxl", &["conditioner.embedders.1.", "conditioner.embedders.0."]),
    ] {
        let mut whole = tensors(name);
        if name == "sd1" {
            whole = with_clip_vocabulary(whole);
        }
        let own = encoders.iter().enumerate().map(|(at, prefix)| {
            let path = folder.path().join(format!("{at}.safetensors"));
            candle_core::safetensors::save(&renamed(&whole, prefix, prefix), &path).unwrap();
            path.display().to_string()
        });
        let own: Vec<String> = own.collect();
        let complete = Checkpoint::open(file(folder.path(), &whole)).unwrap();
        let expected = ["text_encoder", "text_encoder_2"].map(|component| {
            complete.has(&config_file(component)).then(|| complete.config(component).unwrap())
        });
        whole.retain(|name, _| !encoders.iter().any(|prefix| name.starts_with(prefix)));
        let path = folder.path().join("unet_and_vae.safetensors");
        candle_core::safetensors::save(&whole, &path).unwrap();
        let checkpoint = Checkpoint::open(&path).unwrap();
        assert_eq!(checkpoint.index().unwrap(), complete.index().unwrap());
        let error = ClipTextModel::load(&checkpoint, "text_encoder", &Device::Cpu).unwrap_err();
        let error = error.to_string();
        assert!(error.contains("unet_and_vae.safetensors has no text encoder"), "{error}");
        assert!(error.contains("--text-encoder") && error.contains("text_encoders"), "{error}");

        let checkpoint: Arc<dyn Package> = Arc::new(checkpoint);
        let replaced = with_text_encoders(Arc::clone(&checkpoint), &own).unwrap();
        for (component, expected) in ["text_encoder", "text_encoder_2"].into_iter().zip(expected) {
            let Some(expected) = expected else { continue };
            assert_eq!(replaced.config(component).unwrap(), expected, "{name} {component}");
        }
        if name == "sd1" {
            let encode = |package: &dyn Package| {
                let encoder = ClipTextEncoder::load(package, &Device::Cpu).unwrap();
                let encoded = encoder.encode("a lighthouse", &Interrupt::default()).unwrap();
                encoded.tokens.flatten_all().unwrap().to_vec1::<f32>().unwrap()
            };
            assert_eq!(encode(&*replaced), encode(&complete));
        }
        if name == "sdxl" {
            let error = with_text_encoders(Arc::clone(&checkpoint), &own[..1]).unwrap_err();
            assert!(matches!(error, ModelError::NoTextEncoder { .. }), "{error}");
        }
        let other = if name == "sd1" { "sd2" } else { "sd1" };
        let other = fixtures().join(other).join("text_encoder").display().to_string();
        let all = vec![other; own.len()];
        let error = with_text_encoders(checkpoint, &all).unwrap_err().to_string();
        assert!(error.contains("text_encoder") && error.contains("channels"), "{error}");
    }
}

#[test]
fn a_file_that_is_no_text_encoder_for_the_model_is_refused() {
    let package: Arc<dyn Package> = Arc::new(model("sd1"));
    for (path, words) in [
        ("loras/sd1_kohya.safetensors", "a file with other tensors"),
        ("sd1/unet", "a folder with another model"),
        ("sd2/text_encoder", "a text encoder of 24 channels"),
        ("no/such.safetensors", "such.safetensors"),
    ] {
        let path = fixtures().join(path).display().to_string();
        let error = with_text_encoders(Arc::clone(&package), &[path]).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
    let own = fixtures().join("sd1/text_encoder").display().to_string();
    let error = with_text_encoders(package, &[own.clone(), own]).unwrap_err().to_string();
    assert!(error.contains("no further text encoder"), "{error}");
}

#[test]
fn a_single_file_draws_with_the_networks_that_it_lacks_from_other_files() {
    let folder = tempfile::tempdir().unwrap();
    let whole = with_clip_vocabulary(widened(tensors("sd1")));
    let save = |name: &str, tensors: &Tensors| {
        let path = folder.path().join(name);
        candle_core::safetensors::save(tensors, &path).unwrap();
        path.display().to_string()
    };
    let without = |prefixes: &[&str]| -> Tensors {
        let is_kept = |name: &str| prefixes.iter().all(|prefix| !name.starts_with(prefix));
        let kept = whole.iter().filter(|(name, _)| is_kept(name));
        kept.map(|(name, tensor)| (name.clone(), tensor.clone())).collect()
    };
    let (vae, text_encoder) = ("first_stage_model.", "cond_stage_model.");
    let complete = save("complete.safetensors", &whole);
    let no_vae = save("no_vae.safetensors", &without(&[vae]));
    let only_unet = save("only_unet.safetensors", &without(&[vae, text_encoder]));
    let own_vae = save("vae.safetensors", &renamed(&whole, vae, ""));
    let own_text_encoder = save("clip_l.safetensors", &renamed(&whole, text_encoder, text_encoder));

    let registry = GeneratorRegistry::built_in(DeviceKind::Cpu);
    let draw = |model: &str, text_encoders: &[&str], vae: Option<&str>| {
        let recipe = Recipe {
            sampler: Sampler { steps: Some(2), ..Sampler::default() },
            text_encoders: text_encoders.iter().map(|it| (*it).to_owned()).collect(),
            vae: vae.map(str::to_owned),
            ..Recipe::new("a ship", Size::new(32, 32), model)
        };
        let none = Interrupt::default();
        let mut generator = registry.load_for(&recipe, &none).map_err(|it| it.to_string())?;
        let drawn = generator.generate(&recipe, &Inputs::default(), &none);
        drawn.map(|drawn| drawn.image).map_err(|error| error.to_string())
    };
    let (own_vae, encoders) = (Some(own_vae.as_str()), [own_text_encoder.as_str()]);
    let expected = draw(&complete, &[], None).unwrap();
    assert!(draw(&no_vae, &[], own_vae).unwrap() == expected);
    let error = draw(&no_vae, &[], None).unwrap_err();
    assert!(error.contains("--vae"), "the VAE of another recipe was kept: {error}");
    assert!(draw(&only_unet, &encoders, own_vae).unwrap() == expected);

    for (model, obstacle, error, words) in [
        (&no_vae, Obstacle::NoVae, draw(&no_vae, &[], None), "--vae"),
        (&only_unet, Obstacle::OnlyUNet, draw(&only_unet, &encoders, None), "--vae"),
        (&only_unet, Obstacle::OnlyUNet, draw(&only_unet, &[], own_vae), "--text-encoder"),
    ] {
        let error = error.unwrap_err();
        assert!(error.contains(model) && error.contains(words), "{error}");
        let found = inspect(model.as_ref()).unwrap();
        assert_eq!(found.obstacles, [obstacle]);
        assert!(found.is_incomplete_model() && !found.is_usable_model());
    }
}
