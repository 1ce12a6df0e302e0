//! A story format: one implementation of [`StoryFormat`], registered once.

use std::path::Path;

use bevy_illustrator::story::{
    Line, Place, Scene, Story,
    check::check,
    format::{StoryError, StoryFormat, StoryFormats},
};

/// Scenes as Markdown: `# Title`, `## Scene`, and paragraphs as lines of the narrator.
struct Markdown;

impl StoryFormat for Markdown {
    fn extensions(&self) -> &'static [&'static str] {
        &["story.md"]
    }

    fn parse(&self, bytes: &[u8], path: &Path) -> Result<Story, StoryError> {
        let mut story = Story {
            places: vec![Place { id: "stage".into(), looks: "a stage".into(), ..Place::default() }],
            ..Story::default()
        };
        for (index, line) in StoryError::utf8(bytes, path)?.lines().enumerate() {
            if let Some(scene) = line.strip_prefix("## ") {
                let (id, place) = (scene.to_owned(), "stage".to_owned());
                story.scenes.push(Scene { id, place, ..Scene::default() });
            } else if let Some(title) = line.strip_prefix("# ") {
                story.title = title.to_owned();
            } else if let Some(scene) = story.scenes.last_mut() {
                scene.lines.push(Line { text: line.to_owned(), ..Line::default() });
            } else {
                return Err(StoryError::Syntax {
                    path: path.to_owned(),
                    line: index + 1,
                    column: 1,
                    message: "text outside a scene: start a scene with `## `".to_owned(),
                });
            }
        }
        Ok(story)
    }
}

const TIDES: &str = "# Two tides\n## night\nListen.\n";

#[test]
fn a_file_is_read_in_the_format_that_its_extension_names() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tides.story.md");
    std::fs::write(&file, TIDES).unwrap();
    let mut formats = StoryFormats::default();
    formats.register(Markdown);

    let story = formats.read(&file).unwrap();

    assert_eq!((story.title.as_str(), story.scenes[0].id.as_str()), ("Two tides", "night"));
    assert_eq!(story.scenes[0].lines[0].text, "Listen.");
    assert_eq!(check(&story), []);
    assert_eq!(formats.story_name("tides.story.md"), "tides");
    let error = formats.parse(b"Listen.", Path::new("tides.story.md")).unwrap_err();
    assert!(error.to_string().starts_with("tides.story.md:1:1: text outside"), "{error}");
}

#[cfg(feature = "plugin")]
#[test]
fn a_game_reads_its_story_in_a_registered_format() {
    use bevy::prelude::*;
    use bevy_illustrator::{plugin::StoryFormatAppExt, prelude::*};

    let assets = tempfile::tempdir().unwrap();
    std::fs::write(assets.path().join("tides.story.md"), TIDES).unwrap();
    let mut app = App::new();
    let asset_plugin =
        AssetPlugin { file_path: assets.path().to_string_lossy().into_owned(), ..default() };
    app.add_plugins((MinimalPlugins, asset_plugin, ImagePlugin::default()))
        .add_plugins(IllustratorPlugins.set(IllustratorPlugin {
            story: StoryInput::File("tides.story.md".into()),
            draw_policy: DrawPolicy::OnRequest,
            ..default()
        }))
        .register_story_format(Markdown);
    app.finish();
    app.cleanup();

    for _ in 0..20_000 {
        app.update();
        if let Some(project) = app.world().get_resource::<Project>() {
            assert_eq!(project.story().title, "Two tides");
            assert!(project.art().root().ends_with("illustrations/tides"));
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    panic!("no project within 20 s: {:?}", app.world().resource::<IllustratorStatus>());
}
