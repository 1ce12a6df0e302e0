//! Downloads of one component into a folder.

use super::{super::component::copy, *};

const LINEART: &str = "lineart.safetensors";
const WEIGHTS: &str = "diffusion_pytorch_model.safetensors";

/// A repository with these files, each with its name as contents.
fn repository(files: &[&str]) -> Fake {
    let files: Vec<_> = files.iter().map(|file| (*file, file.as_bytes())).collect();
    Fake::new(&files)
}

fn list(fake: &Fake, part: RepoPart<'_>) -> Result<Listing, HubError> {
    CacheFolder::new().hub(&fake.clone().start()).list_component("us/sketch", "main", part)
}

/// The files of a download, in the order of their names.
fn listed(files: &[&str], part: RepoPart<'_>) -> Vec<String> {
    let listing = list(&repository(files), part).expect("listed");
    let mut paths: Vec<_> = listing.files.into_iter().map(|file| file.path).collect();
    paths.sort_unstable();
    paths
}

const MAIN: RepoPart<'_> = RepoPart::Folder("");

#[test]
fn a_component_is_its_configuration_one_set_of_weights_and_a_tokenizer() {
    let clip = [
        "README.md",
        "config.json",
        "flax_model.msgpack",
        "merges.txt",
        "model.fp16.safetensors",
        "model.safetensors",
        "preprocessor_config.json",
        "pytorch_model.bin",
        "tokenizer.json",
        "tokenizer_config.json",
        "vocab.json",
        "unet/config.json",
    ];
    let expected = [
        "config.json",
        "merges.txt",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
        "vocab.json",
    ];
    assert_eq!(listed(&clip, MAIN), expected);

    let adapter = ["config.json", WEIGHTS, "diffusion_pytorch_model.fp16.safetensors", "x.bin"];
    assert_eq!(listed(&adapter, MAIN), ["config.json", WEIGHTS]);
    assert_eq!(
        listed(&["config.json", "model.fp16.safetensors", "model.bin"], MAIN),
        ["config.json", "model.fp16.safetensors"]
    );
    // A file with an unusual name, if it is the only one.
    assert_eq!(listed(&[LINEART, "lineart.pth"], MAIN), [LINEART]);
}

#[test]
fn shards_are_those_of_the_index() {
    let shard = |stem: &str, at: usize| format!("{stem}-0000{at}-of-00002.safetensors");
    let (full, half) = ("model", "model.fp16");
    let shards = [shard(full, 1), shard(full, 2), shard(half, 1), shard(half, 2)];
    let index = "model.safetensors.index.json";
    let half_index = "model.safetensors.index.fp16.json";
    let mut files: Vec<&str> = shards.iter().map(String::as_str).collect();
    files.extend([index, half_index, "config.json"]);
    assert_eq!(listed(&files, MAIN), ["config.json", &shards[0], &shards[1], index]);
    files.retain(|file| *file != index);
    assert_eq!(listed(&files, MAIN), ["config.json", &shards[2], &shards[3], half_index]);
}

#[test]
fn a_subfolder_or_a_single_file_of_a_repository_is_chosen() {
    let encoder = ["models/image_encoder/config.json", "models/image_encoder/model.safetensors"];
    let others = ["models/ip-adapter_sd15.safetensors", "models/ip-adapter-plus_sd15.safetensors"];
    let files = [&encoder[..], &others, &["config.json", "models/ip-adapter_sd15.bin"]].concat();
    for folder in ["models/image_encoder", "/models/image_encoder/"] {
        assert_eq!(listed(&files, RepoPart::Folder(folder)), encoder);
    }
    assert_eq!(listed(&files, RepoPart::File(others[0])), [others[0]]);

    let fake = repository(&files);
    let error = |part| list(&fake, part).expect_err("refused").to_string();
    let message = error(RepoPart::File("models/ip-adapter_sd15.bin"));
    assert!(message.contains("models/ip-adapter_sd15.bin of us/sketch is a pickle"), "{message}");
    let message = error(RepoPart::File("models/other.safetensors"));
    assert!(message.contains("us/sketch does not contain models/other.safetensors"), "{message}");
    let message = error(RepoPart::Folder("models"));
    assert!(message.contains("several weights in its folder models"), "{message}");
    assert!(others.iter().all(|other| message.contains(other)), "{message}");
    let message = error(MAIN);
    assert!(message.contains("no .safetensors weights in its main folder"), "{message}");
    assert!(message.contains("--subfolder of models/image_encoder/model"), "{message}");
}

#[test]
fn a_repository_without_safetensors_weights_is_refused() {
    for (files, reason) in [
        (&["config.json", "pytorch_model.bin"][..], "pytorch_model.bin may run code"),
        (&["config.json"], "choose another repository"),
    ] {
        let error = list(&repository(files), MAIN).expect_err("refused").to_string();
        assert!(error.contains("us/sketch has no .safetensors weights"), "{error}");
        assert!(error.contains(reason), "{error}");
    }
}

/// A model's folder for a component, and a downloaded component.
fn downloaded(files: &[&str], part: RepoPart<'_>) -> (CacheFolder, Listing, PathBuf) {
    let cache = CacheFolder::new();
    let server = repository(files).start();
    let listing = cache.hub(&server).list_component("us/sketch", "main", part).expect("listed");
    listing.download(&mut |_, _| {}, &|| false).expect("downloaded");
    let folder = cache.0.path().join("models/my_model/adapters/outline");
    (cache, listing, folder)
}

#[test]
fn a_component_is_copied_into_a_new_folder_and_only_what_is_missing_a_second_time() {
    let files = ["deep/config.json", "deep/diffusion_pytorch_model.safetensors"];
    let (_cache, listing, folder) = downloaded(&files, RepoPart::Folder("deep"));
    listing.check_folder(&folder).expect("nothing there");
    assert!(!folder.exists());
    listing.copy_into(&folder, &|| false).expect("copied");
    let mut names: Vec<_> = contents(&folder);
    names.sort_unstable();
    assert_eq!(names, [folder.join("config.json"), folder.join(WEIGHTS)]);
    for (name, file) in names.iter().zip(files) {
        assert!(name.symlink_metadata().expect("there").is_file(), "a copy, and no link");
        assert_eq!(fs::read_to_string(name).expect("readable"), file);
    }
    fs::remove_file(&names[1]).expect("removed");
    let before = names[0].metadata().expect("there").modified().expect("known");
    listing.check_folder(&folder).expect("the same contents");
    listing.copy_into(&folder, &|| false).expect("copied");
    assert_eq!(names[0].metadata().expect("there").modified().expect("known"), before);
    assert_eq!(fs::read_to_string(&names[1]).expect("readable"), files[1]);
}

#[test]
fn a_file_with_other_contents_is_not_overwritten() {
    let (_cache, listing, folder) = downloaded(&["config.json", WEIGHTS], MAIN);
    fs::create_dir_all(&folder).expect("created");
    // Of the same length, and of another one.
    for mine in ["mine.config", "mine"] {
        fs::write(folder.join("config.json"), mine).expect("written");
        for result in [listing.check_folder(&folder), listing.copy_into(&folder, &|| false)] {
            let error = result.expect_err("occupied").to_string();
            assert!(error.contains("config.json is there with other contents"), "{error}");
            assert!(error.contains("move it away"), "{error}");
        }
        assert_eq!(fs::read_to_string(folder.join("config.json")).expect("readable"), mine);
    }
    #[cfg(unix)]
    {
        fs::remove_file(folder.join("config.json")).expect("removed");
        let link = folder.join("config.json");
        std::os::unix::fs::symlink(folder.join("nothing"), &link).expect("linked");
        listing.copy_into(&folder, &|| false).expect_err("occupied");
        assert!(!folder.join("nothing").exists());
    }
}

#[test]
fn a_cancelled_copy_leaves_nothing_behind() {
    let (_cache, listing, folder) = downloaded(&["config.json", WEIGHTS], MAIN);
    let error = listing.copy_into(&folder, &|| true).expect_err("cancelled");
    assert!(matches!(error, HubError::Cancelled), "{error}");
    assert_eq!(contents(&folder), Vec::<PathBuf>::new());
}

#[test]
fn a_file_that_another_program_copied_meanwhile_is_accepted_if_it_is_the_same() {
    let (_cache, listing, folder) = downloaded(&["config.json", WEIGHTS], MAIN);
    fs::create_dir_all(&folder).expect("created");
    let (file, to) = (&listing.files[0], folder.join("config.json"));
    let from = listing.fetcher.snapshot.join(&file.path);
    for _ in 0..2 {
        copy(file, &from, &to, &|| false).expect("copied, and then there");
    }
    fs::write(&to, "mine").expect("written");
    let error = copy(file, &from, &to, &|| false).expect_err("occupied");
    assert!(matches!(error, HubError::Occupied { .. }), "{error}");
}
