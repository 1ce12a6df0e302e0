//! Pictures of a model of Stable Diffusion XL whose folder has adapters, compared with diffusers' pipelines.

use super::*;

/// The model `sdxl` with these files of the fixtures below `adapters`.
fn folder(adapters: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    copy("sdxl", folder.path());
    for (from, to) in adapters {
        copy(from, &folder.path().join("adapters").join(to));
    }
    folder
}

#[test]
fn pictures_of_xl_with_adapters_match_diffusers() {
    let recorded = tensors("networks/sdxl_adapters.safetensors");
    let of_union = tensors("networks/sdxl_union_control_net.safetensors");
    let union = &[("sdxl_adapters/union_control_net", "outline")];
    let encoder = ("sd1_adapters/image_encoder", "image_encoder");
    let plain = ("sdxl_adapters/plain.safetensors", "style/ip-adapter_sdxl.safetensors");
    let plus = "sdxl_adapters/plus.safetensors";
    for (name, adapters, usage, image) in [
        ("union", &union[..], ImageUse::Outline, "lines"),
        ("control", &[("sdxl_adapters/control_net", "outline")], ImageUse::Outline, "lines"),
        ("outline", &[("sdxl_adapters/t2i_adapter", "outline")], ImageUse::Outline, "lines"),
        ("plain", &[plain, encoder], ImageUse::Style, "style"),
        ("plus", &[(plus, "style/plus.safetensors"), encoder], ImageUse::Style, "style"),
        ("layout", &[(plus, "content/plus.safetensors"), encoder], ImageUse::Content, "content"),
    ] {
        let recorded = if name == "union" { &of_union } else { &recorded };
        let folder = folder(adapters);
        let package = FolderPackage::open(folder.path()).unwrap();
        check(&families(), &package, &Interrupt::default()).unwrap();
        let inspired = inspiration(usage, picture(&recorded[image]), WEIGHT);
        let noise = Noise::Latents(recorded[&format!("{name}.noise")].clone());
        let request = DrawRequest { noise, size: Size::new(96, 64), ..request(inspired) };
        let mut trace = Trace::default();
        load(&folder).draw(&request, &Interrupt::default(), &mut [&mut trace]).unwrap();
        let expected = &recorded[&format!("{name}.picture")];
        assert_near(name, trace.get("image").unwrap(), expected, 2e-4);
    }
}

/// The published T2I-Adapters of both have the same channels.
#[test]
fn a_t2i_adapter_of_xl_is_refused_by_stable_diffusion_1() {
    let folder = super::folder(&[]);
    copy("sdxl_adapters/t2i_adapter", &folder.path().join("adapters/outline"));
    let error = error_of(&folder, ImageUse::Outline);
    assert!(error.contains("outline/config.json") && error.contains("another model"), "{error}");
}
