//! The command line as a program sees it: arguments in; files, output and exit codes out.
#![cfg(feature = "cli")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::{Duration, Instant, SystemTime},
};

use serde_json::Value;

/// Few steps on a small picture: the tests look at files, not at beauty.
const QUICK: [&str; 4] = ["--steps", "2", "--size", "64x64"];

const STORY: &str = r#"(
    title: "Two rooms",
    characters: [(id: "mira", name: "Mira", looks: "a painter with red hair")],
    places: [
        (id: "studio", name: "Studio", looks: "a painter's studio"),
        (id: "shore", name: "Shore", looks: "a lighthouse on a shore"),
    ],
    items: [(id: "key", name: "Key", looks: "a brass key")],
    scenes: [
        (id: "one", place: "studio", time: "at night", lines: [
            (speaker: "mira", text: "It is open.", expression: "happy"),
            (text: "A key lies there.", item: "key"),
        ], exits: [(to: "two")]),
        (id: "two", place: "shore", time: "at dawn", lines: [(text: "The sea.")], ending: "The sea"),
    ],
)"#;

/// A story in a folder of its own.
struct Desk {
    folder: tempfile::TempDir,
}

impl Desk {
    fn new(story: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let desk = Self { folder };
        desk.write(story);
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, story: &str) {
        fs::write(self.path("two.story.ron"), story).unwrap();
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_illustrate"));
        command.current_dir(self.folder.path()).args(args).stdin(Stdio::null());
        command
    }

    fn run(&self, args: &[&str]) -> Run {
        Run(self.command(args).output().unwrap())
    }

    /// `render two.story.ron --json`, quickly, and these options.
    fn render(&self, more: &[&str]) -> Run {
        self.run(&[&["render", "two.story.ron", "--json"], &QUICK[..], more].concat())
    }

    /// The state of every shot, planned with the options that [`Self::render`] renders with.
    fn states(&self) -> BTreeMap<String, String> {
        let plan = [&["plan", "two.story.ron", "--json"], &QUICK[..]].concat();
        let shots = self.run(&plan).json();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        (shots.as_array().unwrap().iter())
            .map(|shot| (text(&shot["id"]), text(&shot["state"])))
            .collect()
    }

    /// Every picture below the art folder, with the time of its last change.
    fn pictures(&self) -> BTreeMap<PathBuf, SystemTime> {
        fn walk(folder: &Path, found: &mut BTreeMap<PathBuf, SystemTime>) {
            for entry in fs::read_dir(folder).into_iter().flatten() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    walk(&path, found);
                } else if path.extension().is_some_and(|extension| extension == "png") {
                    found.insert(path.clone(), path.metadata().unwrap().modified().unwrap());
                }
            }
        }
        let mut found = BTreeMap::new();
        walk(&self.path("illustrations/two"), &mut found);
        found
    }
}

struct Run(Output);

impl Run {
    #[track_caller]
    fn exits(&self, code: i32) -> &Self {
        let (out, err) = (String::from_utf8_lossy(&self.0.stdout), self.error());
        assert_eq!(self.0.status.code(), Some(code), "stdout:\n{out}\nstderr:\n{err}");
        self
    }

    /// What it says on stderr when it exits with 1, which must hold all of these words.
    #[track_caller]
    fn fails_with(&self, words: &[&str]) -> String {
        let error = self.exits(1).error();
        for word in words {
            assert!(error.contains(word), "`{word}` in:\n{error}");
        }
        assert!(!error.contains("panicked"), "{error}");
        error
    }

    fn error(&self) -> String {
        String::from_utf8_lossy(&self.0.stderr).into_owned()
    }

    #[track_caller]
    fn json(&self) -> Value {
        self.exits(0);
        serde_json::from_slice(&self.0.stdout).unwrap()
    }

    /// The shots that `render --json` drew, in order.
    #[track_caller]
    fn drawn(&self) -> Vec<String> {
        let drawn = self.json()["drawn"].as_array().unwrap().clone();
        drawn.iter().map(|take| take["shot"].as_str().unwrap().to_owned()).collect()
    }
}

/// Waits until something is so.
#[track_caller]
fn wait_until(what: &str, mut so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !so() {
        assert!(began.elapsed() < Duration::from_secs(60), "{what}: waited for a minute");
        std::thread::sleep(Duration::from_millis(10));
    }
}

mod plan {
    use super::*;

    #[test]
    fn json_names_every_shot_with_prompt_size_state_and_sources() {
        let desk = Desk::new(STORY);
        let shots = desk.run(&["plan", "two.story.ron", "--json"]).json();
        let shots = shots.as_array().unwrap();
        let kinds: Vec<&str> = shots.iter().map(|shot| shot["kind"].as_str().unwrap()).collect();
        for (kind, count) in [("background", 2), ("portrait", 1), ("item", 1), ("moment", 0)] {
            assert_eq!(kinds.iter().filter(|&&k| k == kind).count(), count, "{kind}: {kinds:?}");
        }
        for shot in shots {
            assert_eq!(shot["state"], "missing");
            assert!(shot["size"]["width"].as_u64() > Some(0), "{shot}");
            let pieces: Vec<&str> = (shot["sources"].as_array().unwrap().iter())
                .map(|piece| piece["words"].as_str().unwrap())
                .collect();
            assert_eq!(shot["prompt"].as_str().unwrap(), pieces.join(", "));
        }
        let studio = shots.iter().find(|shot| shot["prompt"].to_string().contains("studio"));
        assert!(studio.unwrap()["prompt"].to_string().contains("at night"));
        assert!(!desk.path("illustrations").exists(), "planning makes no folder");
    }

    #[test]
    fn the_table_has_a_line_for_each_shot_and_a_count() {
        let run = Desk::new(STORY).run(&["plan", "two.story.ron"]);
        let table = String::from_utf8(run.exits(0).0.stdout.clone()).unwrap();
        assert_eq!(table.lines().count(), 5);
        assert_eq!(table.lines().last(), Some("4 pictures: 4 missing"));
    }

    #[test]
    fn a_scene_that_nothing_reaches_is_a_warning() {
        let lonely = STORY.replace(r#"exits: [(to: "two")]"#, r#"ending: "Here""#);
        let run = Desk::new(&lonely).run(&["plan", "two.story.ron"]);
        let error = run.exits(0).error();
        assert!(error.starts_with("warning: ") && error.contains("two"), "{error}");
    }

    #[test]
    fn faults_in_a_story_are_named_and_nothing_is_planned() {
        for (from, to, words) in [
            (r#"speaker: "mira""#, r#"speaker: "nora""#, ["nora", "character"]),
            (r#"id: "shore""#, r#"id: "studio""#, ["studio", "two places"]),
            (r#"id: "two""#, r#"id: "one""#, ["one", "two scenes"]),
            (r#"to: "two""#, r#"to: "three""#, ["three", "scene"]),
        ] {
            let desk = Desk::new(&STORY.replacen(from, to, 1));
            for command in ["plan", "render"] {
                let run = desk.run(&[command, "two.story.ron"]);
                run.fails_with(&words);
                assert!(run.0.stdout.is_empty());
            }
        }
    }

    #[test]
    fn bad_ron_is_told_with_file_line_and_column() {
        let bad = STORY.replace(r#"title: "Two rooms","#, r#"title: 12,"#);
        let error =
            Desk::new(&bad).run(&["plan", "two.story.ron"]).fails_with(&["two.story.ron:2:"]);
        let column = error.split("two.story.ron:2:").nth(1).unwrap();
        let digits: String = column.chars().take_while(char::is_ascii_digit).collect();
        let column: usize = digits.parse().unwrap();
        assert!((11..=14).contains(&column), "`12` stands at column 12: {error}");
    }

    #[test]
    fn a_story_that_is_not_there_is_named() {
        Desk::new(STORY).run(&["plan", "gone.story.ron"]).fails_with(&["gone.story.ron"]);
    }
}

mod render {
    use super::*;

    #[test]
    fn a_second_run_draws_nothing_and_touches_no_file() {
        let desk = Desk::new(STORY);
        let drawn = desk.render(&[]).drawn();
        assert_eq!(drawn.len(), 4);
        assert!(desk.states().values().all(|state| state == "drafted"), "{:?}", desk.states());
        let before = desk.pictures();
        assert_eq!(before.len(), 8, "a take and the picture that the game shows, four times");

        let again = desk.render(&[]);
        assert_eq!(again.drawn(), [""; 0]);
        assert_eq!(again.json()["kept"], 4);
        assert_eq!(desk.pictures(), before);
        let words = desk.run(&[&["render", "two.story.ron"], &QUICK[..]].concat());
        assert!(String::from_utf8_lossy(&words.exits(0).0.stdout).starts_with("Nothing to draw"));
    }

    #[test]
    fn a_changed_line_redraws_exactly_what_depends_on_it() {
        let desk = Desk::new(STORY);
        let shots = desk.render(&[]).drawn();
        let before = desk.pictures();

        desk.write(&STORY.replace("It is open.", "It stands open."));
        assert_eq!(desk.render(&[]).drawn(), [""; 0], "no picture shows what is said");

        desk.write(&STORY.replace(r#""happy""#, r#""sad""#));
        let sad = desk.render(&[]).drawn();
        assert_eq!(sad.len(), 1);
        assert!(sad[0].contains("mira") && sad[0].contains("sad"), "{sad:?}");
        assert!(!shots.contains(&sad[0]));
        for (path, time) in before.iter().filter(|(path, _)| path.starts_with("takes")) {
            assert_eq!(desk.pictures().get(path), Some(time), "finished takes are kept");
        }

        desk.write(&STORY.replace("at night", "in the morning"));
        let states = desk.states();
        let stale: Vec<_> = states.iter().filter(|(_, state)| *state != "drafted").collect();
        assert_eq!(stale.len(), 1, "{states:?}");
        assert!(stale[0].0.starts_with("background-studio"), "{states:?}");
    }

    #[test]
    fn other_options_draw_anew_once_and_keep_what_was_there() {
        let desk = Desk::new(STORY);
        let shot = desk.render(&[]).drawn().remove(0);
        let before = desk.pictures();
        let other = ["--shot", &shot, "--seed", "5", "--guidance", "2", "--scheduler", "euler"];
        assert_eq!(desk.render(&other).drawn(), [shot.as_str()]);
        assert_eq!(desk.render(&other).drawn(), [""; 0]);
        assert_eq!(desk.render(&[]).drawn(), [""; 0], "the first pictures are there still");
        assert_eq!(desk.pictures().len(), before.len() + 1);
    }

    #[test]
    fn shots_takes_and_force_choose_what_is_drawn() {
        let desk = Desk::new(STORY);
        let plan = desk.states();
        let mut ids = plan.keys();
        let (first, second) = (ids.next().unwrap().clone(), ids.next().unwrap().clone());
        let both = ["--shot", &second, "--shot", &first, "--shot", &second];
        let mut drawn = desk.render(&both).drawn();
        drawn.sort();
        assert_eq!(drawn, [first.as_str(), second.as_str()]);

        let three = ["--shot", &first, "--takes", "3"];
        assert_eq!(desk.render(&three).drawn(), [first.as_str(); 2], "one of three was there");
        assert_eq!(desk.render(&three).drawn(), [""; 0]);
        assert_eq!(desk.render(&["--shot", &first, "--force"]).drawn(), [first.as_str()]);

        let takes = desk.path("illustrations/two/takes").join(&first);
        let takes: Vec<_> = takes.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
        assert_eq!(takes.len(), 4);
        let pixels: Vec<_> =
            takes.iter().map(|path| image::open(path).unwrap().into_rgba8()).collect();
        assert!((1..4).all(|n| !pixels[..n].contains(&pixels[n])), "each take is another picture");
        assert!(pixels.iter().all(|picture| picture.dimensions() == (64, 64)));
    }

    #[test]
    fn pictures_land_in_the_folder_where_the_game_looks_for_them() {
        let desk = Desk::new(STORY);
        let stories = desk.path("assets/stories");
        fs::create_dir_all(&stories).unwrap();
        fs::rename(desk.path("two.story.ron"), stories.join("two.story.ron")).unwrap();
        let shot = ["--shot", "item-key"];
        let story = "assets/stories/two.story.ron";
        desk.run(&[&["render", story], &QUICK[..], &shot].concat()).exits(0);
        assert!(desk.path("assets/illustrations/two/pictures/item-key.png").exists());
    }

    #[test]
    fn a_run_that_is_killed_leaves_whole_pictures_and_the_next_one_goes_on() {
        let desk = Desk::new(STORY);
        let slow = ["render", "two.story.ron", "--size", "64x64", "--steps", "30"];
        let mut run =
            desk.command(&slow).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        wait_until("a first picture", || {
            let takes = desk
                .pictures()
                .keys()
                .filter(|path| path.to_string_lossy().contains("takes"))
                .count();
            takes >= 1 || run.try_wait().unwrap().is_some()
        });
        run.kill().unwrap();
        assert!(!run.wait().unwrap().success(), "it was still drawing");
        let whole = desk.pictures();
        assert!(!whole.is_empty());
        for path in whole.keys() {
            assert!(image::open(path).is_ok(), "{path:?} is whole");
        }
        let next = desk.run(&[&slow[..], &["--json"]].concat()).json();
        let kept = next["kept"].as_u64().unwrap();
        assert!(kept >= 1, "what was finished is not drawn again: {next}");
        assert_eq!(kept + next["drawn"].as_array().unwrap().len() as u64, 4);
        for (path, time) in &whole {
            assert_eq!(desk.pictures().get(path), Some(time), "{path:?} was left alone");
        }
    }
}

mod bad_input {
    use super::*;

    #[test]
    fn usage_that_makes_no_sense_exits_with_2() {
        let desk = Desk::new(STORY);
        for args in [
            &["render"][..],
            &["paint"],
            &["render", "two.story.ron", "--steps", "0"],
            &["render", "two.story.ron", "--size", "big"],
            &["render", "two.story.ron", "--scheduler", "fast"],
            &["render", "two.story.ron", "--device", "abacus"],
            &["render", "two.story.ron", "--guidance", "NaN"],
            &["render", "two.story.ron", "--shot", "../x"],
            &["render", "two.story.ron", "--shot", ""],
            &["draw", "--out", "a.png"],
        ] {
            let run = desk.run(args);
            run.exits(2);
            assert!(run.error().contains("error:"), "{args:?}: {}", run.error());
        }
        assert!(desk.run(&["render", "two.story.ron", "--shot", "../x"]).error().contains("../x"));
        assert!(!desk.path("illustrations").exists());
    }

    #[test]
    fn a_shot_that_is_not_on_the_storyboard_is_named() {
        let desk = Desk::new(STORY);
        desk.render(&["--shot", "item-crown"]).fails_with(&["item-crown", "illustrate plan"]);
        assert!(desk.pictures().is_empty());
    }

    #[test]
    fn two_processes_cannot_draw_into_one_folder_and_the_first_goes_on() {
        let desk = Desk::new(STORY);
        let slow = ["render", "two.story.ron", "--size", "64x64", "--steps", "20"];
        let mut first =
            desk.command(&slow).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        wait_until("a first picture", || {
            !desk.pictures().is_empty() || first.try_wait().unwrap().is_some()
        });
        assert!(first.try_wait().unwrap().is_none(), "the first run still draws");
        desk.render(&[]).fails_with(&["illustrations/two", "another program"]);
        desk.run(&["plan", "two.story.ron", "--json"]).json();
        assert!(first.wait().unwrap().success());
        let takes = desk.path("illustrations/two/takes");
        assert_eq!(takes.read_dir().unwrap().count(), 4);
    }

    #[test]
    fn an_art_folder_that_cannot_be_made_is_named() {
        let desk = Desk::new(STORY);
        fs::write(desk.path("file"), "in the way").unwrap();
        desk.render(&["--out", "file/art"]).fails_with(&["file/art"]);
    }

    /// `/sys` lets nobody make a folder, not even root.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_read_only_folder_is_named() {
        let desk = Desk::new(STORY);
        desk.render(&["--out", "/sys/illustrations"]).fails_with(&["/sys/illustrations"]);
        let out = "/sys/a.png";
        desk.run(&[&["draw", "--prompt", "a key", "--out", out], &QUICK[..]].concat())
            .fails_with(&[out]);
    }

    /// A limit on the size of files stands for a full disk: the system refuses the write midway.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_fails_the_shot_and_loses_nothing() {
        let desk = Desk::new(STORY);
        assert_eq!(desk.render(&["--shot", "item-key"]).drawn(), ["item-key"]);
        let before = desk.pictures();
        let bin = env!("CARGO_BIN_EXE_illustrate");
        let script = format!(
            "trap '' XFSZ; ulimit -f 1; exec {bin} render two.story.ron --steps 2 --size 256x256"
        );
        let run =
            Command::new("bash").args(["-c", &script]).current_dir(desk.folder.path()).output();
        Run(run.unwrap()).fails_with(&["item-key", "illustrations/two"]);
        for (path, time) in &before {
            assert_eq!(desk.pictures().get(path), Some(time));
            assert!(image::open(path).is_ok());
        }
        assert_eq!(desk.render(&[]).drawn().len(), 3, "it goes on once there is room");
    }
}

mod draw {
    use super::*;
    use candle_core::{DType, Device, Tensor, safetensors};

    #[test]
    fn noise_goes_in_and_every_step_comes_out() {
        let desk = Desk::new(STORY);
        let noise = Tensor::randn(0_f32, 1_f32, (1, 4, 8, 8), &Device::Cpu).unwrap();
        noise.save_safetensors("latents", desk.path("noise.safetensors")).unwrap();
        let common = ["draw", "--prompt", "a lighthouse", "--negative", "fog", "--steps", "3"];
        let with = |more: &[&str]| {
            let args = [&common[..], &["--size", "64x64"], more].concat();
            desk.run(&args).exits(0).error()
        };
        with(&["--out", "a.png", "--noise", "noise.safetensors", "--dump", "a.safetensors"]);
        with(&["--out", "b.png", "--noise", "noise.safetensors"]);
        with(&["--out", "c.png", "--seed", "3"]);

        let dump = safetensors::load(desk.path("a.safetensors"), &Device::Cpu).unwrap();
        let mut names: Vec<&str> = dump.keys().map(String::as_str).collect();
        names.sort_unstable();
        assert_eq!(
            names,
            [
                "image",
                "latents_0",
                "latents_1",
                "latents_2",
                "latents_3",
                "negative_prompt_embeds",
                "prompt_embeds",
                "timesteps"
            ]
        );
        assert!(dump.values().all(|tensor| tensor.dtype() == DType::F32));
        assert_eq!(dump["latents_3"].dims(), [1, 4, 8, 8]);
        assert_eq!(dump["image"].dims(), [1, 3, 64, 64]);
        assert_eq!(dump["timesteps"].dims(), [3]);
        let start = (&dump["latents_0"] / &noise).unwrap().flatten_all().unwrap();
        let start = start.to_vec1::<f32>().unwrap();
        assert!(
            start.iter().all(|scale| (scale - start[0]).abs() < 1e-5),
            "it starts from the noise"
        );
        let embeds = dump["prompt_embeds"].dims();
        assert_eq!((embeds.len(), embeds[0]), (3, 1));
        assert_eq!(dump["negative_prompt_embeds"].dims(), embeds);

        let pixels = |name: &str| image::open(desk.path(name)).unwrap().into_rgb8();
        assert_eq!(pixels("a.png"), pixels("b.png"), "the same noise draws the same picture");
        assert_ne!(pixels("a.png"), pixels("c.png"));
        let values = dump["image"].flatten_all().unwrap().to_vec1::<f32>().unwrap();
        for (at, pixel) in pixels("a.png").pixels().enumerate().step_by(97) {
            for (channel, &found) in pixel.0.iter().enumerate() {
                let told = (values[channel * 64 * 64 + at] * 0.5 + 0.5).clamp(0.0, 1.0) * 255.0;
                assert!((told - f32::from(found)).abs() <= 1.0, "pixel {at}: {told}, {found}");
            }
        }
    }

    #[test]
    fn the_picture_says_where_it_comes_from() {
        let desk = Desk::new(STORY);
        let args = ["draw", "--prompt", "a brass key", "--seed", "9", "--out", "a.png", "--json"];
        let told = desk.run(&[&args[..], &QUICK[..]].concat()).json();
        assert_eq!(told["provenance"]["recipe"]["seed"], 9);
        let png = fs::read(desk.path("a.png")).unwrap();
        let inside = |text: &str| png.windows(text.len()).any(|window| window == text.as_bytes());
        assert!(inside("a brass key") && inside("Seed: 9"));
        assert!(inside(told["provenance"]["model"]["hash"].as_str().unwrap()));
    }

    #[test]
    fn noise_of_another_shape_or_name_is_refused() {
        let desk = Desk::new(STORY);
        let draw = |noise: &str| {
            let args = ["draw", "--prompt", "a key", "--out", "a.png", "--noise", noise];
            desk.run(&[&args[..], &QUICK[..]].concat())
        };
        let save = |name: &str, dims: &[usize]| {
            let noise = Tensor::zeros(dims, DType::F32, &Device::Cpu).unwrap();
            noise.save_safetensors(name, desk.path("noise.safetensors")).unwrap();
        };
        draw("gone.safetensors").fails_with(&["gone.safetensors"]);
        save("noise", &[1, 4, 8, 8]);
        draw("noise.safetensors").fails_with(&["noise.safetensors", "`latents`"]);
        save("latents", &[4, 8, 8]);
        draw("noise.safetensors").fails_with(&["(1, channels, height, width)"]);
        save("latents", &[1, 4, 8, 9]);
        draw("noise.safetensors").fails_with(&["8, 9"]);
        fs::write(desk.path("noise.safetensors"), "no tensors").unwrap();
        draw("noise.safetensors").fails_with(&["noise.safetensors", "safetensors file"]);
        assert!(!desk.path("a.png").exists());
    }
}

mod models {
    use super::*;

    /// A copy of the built-in model that a test may damage.
    fn desk_with_model() -> Desk {
        fn copy_all(from: &Path, to: &Path) {
            fs::create_dir_all(to).unwrap();
            for entry in fs::read_dir(from).unwrap() {
                let entry = entry.unwrap();
                let to = to.join(entry.file_name());
                if entry.path().is_dir() {
                    copy_all(&entry.path(), &to);
                } else {
                    fs::copy(entry.path(), to).unwrap();
                }
            }
        }
        let desk = Desk::new(STORY);
        let built_in = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/models/sketch");
        copy_all(&built_in, &desk.path("model"));
        desk
    }

    const UNET: &str = "model/unet/diffusion_pytorch_model.safetensors";

    #[test]
    fn a_whole_folder_is_told_as_one_that_runs_and_does() {
        let desk = desk_with_model();
        let found = desk.run(&["models", "inspect", "model", "--json"]).json();
        assert_eq!(found["runs"], true);
        assert_eq!(found["kind"]["pipeline"], "StableDiffusionPipeline");
        let names: Vec<&str> =
            found["parts"].as_array().unwrap().iter().filter_map(|p| p["name"].as_str()).collect();
        assert!(names.contains(&"unet") && names.contains(&"text_encoder"), "{names:?}");
        let words = desk.run(&["models", "inspect", "model"]);
        assert!(String::from_utf8_lossy(&words.exits(0).0.stdout).contains("It can run here"));
        let shot = ["--shot", "item-key", "--model", "model/"];
        assert_eq!(desk.render(&shot).drawn(), ["item-key"]);
        assert_eq!(desk.render(&["--shot", "item-key", "--model", "./model"]).drawn(), [""; 0]);
    }

    #[test]
    fn a_damaged_folder_says_what_is_wrong_wherever_it_is_used() {
        let damages: [(&str, fn(&Desk), &[&str]); 4] = [
            (
                "missing",
                |desk| fs::remove_file(desk.path("model/vae/config.json")).unwrap(),
                &["vae/config.json", "missing"],
            ),
            (
                "truncated",
                |desk| {
                    let file = fs::OpenOptions::new().write(true).open(desk.path(UNET)).unwrap();
                    file.set_len(1_000_000).unwrap();
                },
                &["unet/diffusion_pytorch_model.safetensors", "cut off"],
            ),
            (
                "pickle",
                |desk| {
                    let pickle = desk.path(UNET).with_extension("bin");
                    fs::rename(desk.path(UNET), pickle).unwrap();
                },
                &["unet/diffusion_pytorch_model.bin", "pickle"],
            ),
            (
                "bad config",
                |desk| fs::write(desk.path("model/unet/config.json"), "{").unwrap(),
                &["unet/config.json"],
            ),
        ];
        for (what, damage, words) in damages {
            let desk = desk_with_model();
            damage(&desk);
            eprintln!("{what}");
            desk.run(&["models", "inspect", "model"]).fails_with(words);
            desk.render(&["--shot", "item-key", "--model", "model"]).fails_with(words);
            let draw = ["draw", "--prompt", "a key", "--out", "a.png", "--model", "model"];
            desk.run(&[&draw[..], &QUICK[..]].concat()).fails_with(words);
            assert!(desk.pictures().is_empty() && !desk.path("a.png").exists());
        }
    }

    #[test]
    fn a_tensor_of_the_wrong_shape_is_named_with_both_shapes() {
        let desk = desk_with_model();
        let config = desk.path("model/unet/config.json");
        let json = fs::read_to_string(&config).unwrap();
        let other = json.replace("\"cross_attention_dim\": 128", "\"cross_attention_dim\": 64");
        assert_ne!(json, other);
        fs::write(config, other).unwrap();
        let words = ["unet/diffusion_pytorch_model.safetensors", "attn2", "64", "128"];
        desk.render(&["--shot", "item-key", "--model", "model"])
            .fails_with(&[&words[..], &["item-key"]].concat());
    }

    #[test]
    fn single_files_are_told_apart_and_refused() {
        let desk = Desk::new(STORY);
        fs::write(desk.path("a.ckpt"), [0x80, 2, b'}', b'.']).unwrap();
        desk.run(&["models", "inspect", "a.ckpt"]).fails_with(&[
            "a.ckpt",
            "pickle",
            "never opened",
        ]);
        fs::write(desk.path("a.gguf"), [b"GGUF".as_slice(), &[3, 0, 0, 0], &[0; 8]].concat())
            .unwrap();
        desk.run(&["models", "inspect", "a.gguf"]).fails_with(&["GGUF"]);
        desk.run(&["models", "inspect", "two.story.ron"]).fails_with(&["two.story.ron"]);
        desk.run(&["models", "inspect", "gone"]).fails_with(&["gone"]);
        desk.render(&["--shot", "item-key", "--model", "a.ckpt"]).fails_with(&["pickle"]);
    }
}

#[test]
fn the_readme_shows_the_smallest_example_as_it_is() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let example = fs::read_to_string(root.join("examples/minimal.rs")).unwrap();
    let code = example.split_once("\n\n").unwrap().1;
    let readme = fs::read_to_string(root.join("README.md")).unwrap();
    assert!(readme.contains(&format!("```rust,no_run\n{code}```")), "copy examples/minimal.rs");
}
