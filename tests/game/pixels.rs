//! Pixels read back from the graphics adapter. A software adapter is enough.
//!
//! These tests fail without an adapter. On such a machine, disable the feature `gpu_tests`.

use bevy::{
    app::PluginGroupBuilder,
    camera::RenderTarget,
    prelude::*,
    render::{
        RenderPlugin,
        pipelined_rendering::PipelinedRenderingPlugin,
        render_resource::TextureFormat,
        view::screenshot::{Screenshot, ScreenshotCaptured},
    },
    window::ExitCondition,
    winit::WinitPlugin,
};
use bevy_illustrator::{
    components::Illustration,
    hot_swap::{HotSwapAppExt, HotSwapPlugin, Illustrations},
    plugin::{IllustratorPlugin, IllustratorPlugins, StoryInput},
    project::Update as ProjectUpdate,
    storyboard::ShotId,
};
use image::{Rgba, RgbaImage};

use crate::{
    common::Fakes,
    support::{Game, STORY_FILE, expected, plugin, shot, update_until_drawn},
};

/// Width and height of the render target, in pixels.
const SCREEN: u32 = 64;

const RED: [u8; 4] = [200, 20, 20, 255];
const BLUE: [u8; 4] = [20, 20, 200, 255];
const GREEN: [u8; 4] = [20, 200, 20, 255];

/// The render target.
#[derive(Resource)]
struct Screen(Handle<Image>);

/// The last screenshot, once it is read back.
#[derive(Resource, Default)]
struct Captured(Option<RgbaImage>);

#[test]
fn a_ui_node_shows_each_picture_behind_its_handle() {
    shows_each_picture(|world, image| {
        let fill = Node { width: percent(100), height: percent(100), ..default() };
        world.spawn((fill, ImageNode::new(image)));
    });
}

#[test]
fn a_sprite_shows_each_picture_behind_its_handle() {
    shows_each_picture(|world, image| {
        let custom_size = Some(Vec2::splat(SCREEN as f32));
        world.spawn(Sprite { image, custom_size, ..default() });
    });
}

#[test]
fn a_material_shows_each_picture_behind_its_handle() {
    shows_each_picture(|world, image| {
        let side = SCREEN as f32;
        let mesh = world.resource_mut::<Assets<Mesh>>().add(Rectangle::new(side, side));
        let material =
            world.resource_mut::<Assets<ColorMaterial>>().add(ColorMaterial::from(image));
        world.spawn((Mesh2d(mesh), MeshMaterial2d(material)));
    });
}

#[test]
fn a_portrait_stays_above_its_background_in_every_spawn_order() {
    #[derive(Component)]
    struct Moved;

    let layer = |side: Val| Node {
        position_type: PositionType::Absolute,
        width: side,
        height: side,
        ..default()
    };
    let (background, portrait) =
        (Illustration::background("dawn"), Illustration::portrait("mira", "happy"));
    // With children of one root, the second child is in front; with roots, `GlobalZIndex` decides.
    let one_root = |world: &mut World| {
        let root = world.spawn(layer(percent(100))).id();
        let back = world.spawn((layer(percent(100)), background.clone(), ChildOf(root))).id();
        let front = world.spawn((layer(percent(50)), portrait.clone(), ChildOf(root))).id();
        [back, front]
    };
    let background_first = |world: &mut World| {
        let back = world.spawn((layer(percent(100)), background.clone())).id();
        let front = world.spawn((layer(percent(50)), portrait.clone(), GlobalZIndex(1))).id();
        [back, front]
    };
    let portrait_first = |world: &mut World| {
        let front = world.spawn((layer(percent(50)), portrait.clone(), GlobalZIndex(1))).id();
        let back = world.spawn((layer(percent(100)), background.clone())).id();
        [back, front]
    };
    let orders: [(&str, &dyn Fn(&mut World) -> [Entity; 2]); 3] = [
        ("one root", &one_root),
        ("two roots, background first", &background_first),
        ("two roots, portrait first", &portrait_first),
    ];
    let (game, painter) = (Game::with_story(), Fakes::default());
    for (order, spawn) in orders {
        let mut app = illustrated_game_without_window(&game, &painter);
        let layers = spawn(app.world_mut());
        for entity in layers {
            app.world_mut()
                .entity_mut(entity)
                .insert(ImageNode::default().with_mode(NodeImageMode::Stretch));
        }
        // Bevy moves an entity to another archetype too, for example when the pointer is over it.
        app.world_mut().entity_mut(layers[0]).insert(Moved);
        update_until_drawn(&mut app);

        let first_pixel = |illustration| expected(app.world(), &shot(app.world(), illustration));
        let [back, front] = [&background, &portrait].map(first_pixel);
        assert!(!is_near(back, front), "the two pictures have different colours");
        assert!(corner_becomes(&mut app, front), "{order}: the portrait is in front");
        app.world_mut().entity_mut(layers[1]).insert(Visibility::Hidden);
        assert!(corner_becomes(&mut app, back), "{order}: the background is behind it");
        app.world_mut().entity_mut(layers[1]).insert(Visibility::Inherited);
        assert!(corner_becomes(&mut app, front), "{order}: the portrait is in front again");
    }
}

/// Whether two colours are equal within the error of scaling.
fn is_near(a: [u8; 4], b: [u8; 4]) -> bool {
    a.iter().zip(b).all(|(a, b)| a.abs_diff(b) < 12)
}

/// Whether the upper left corner of the screen gets a colour within some frames. Pictures are read from disk on another
/// thread.
fn corner_becomes(app: &mut App, colour: [u8; 4]) -> bool {
    (0..50).any(|_| is_near(screen(app).get_pixel(0, 0).0, colour))
}

/// Puts one handle on screen, and checks the screen after each picture.
fn shows_each_picture(put_on_screen: impl FnOnce(&mut World, Handle<Image>)) {
    let mut app = game_without_window();
    let shot = ShotId::new("background-shore").unwrap();
    let image = app.world().resource::<Illustrations>().handle(&shot);
    put_on_screen(app.world_mut(), image);

    let canvas = middle_of_screen(&mut app);
    assert!(canvas.iter().all(|&channel| channel > 150), "the placeholder is light: {canvas:?}");
    let pictures = [
        ("the first", RED, [16, 16]),
        ("one of the same size", BLUE, [16, 16]),
        ("one of another size", GREEN, [24, 40]),
        ("one of the first size again", RED, [16, 16]),
    ];
    for (which, colour, [width, height]) in pictures {
        let image = RgbaImage::from_pixel(width, height, Rgba(colour));
        let path = format!("pictures/{shot}.png").into();
        app.world_mut().write_message(ProjectUpdate::Picture { shot: shot.clone(), image, path });
        assert_eq!(middle_of_screen(&mut app), colour, "{which} is on screen");
    }
}

/// An app with hot swap alone that renders to an image.
fn game_without_window() -> App {
    let mut app = App::new();
    app.add_plugins(renderer(AssetPlugin::default()))
        .add_plugins(HotSwapPlugin::default())
        .add_message::<ProjectUpdate>()
        .hot_swap_material::<ColorMaterial>();
    render_to_image(&mut app);
    app
}

/// An illustrated game that renders to an image.
fn illustrated_game_without_window(game: &Game, painter: &Fakes) -> App {
    let mut app = App::new();
    let illustrator =
        IllustratorPlugin { story: StoryInput::File(STORY_FILE.into()), ..plugin(painter) };
    let plugins = IllustratorPlugins.set(illustrator);
    #[cfg(feature = "panel")]
    let plugins = plugins.disable::<bevy_illustrator::panel::PanelPlugin>();
    app.add_plugins(renderer(game.asset_plugin())).add_plugins(plugins);
    render_to_image(&mut app);
    app
}

/// Bevy's plugins without a window.
fn renderer(assets: AssetPlugin) -> PluginGroupBuilder {
    let window =
        WindowPlugin { primary_window: None, exit_condition: ExitCondition::DontExit, ..default() };
    let render = RenderPlugin { synchronous_pipeline_compilation: true, ..default() };
    DefaultPlugins
        .set(window)
        .set(render)
        .set(assets)
        .disable::<WinitPlugin>()
        .disable::<PipelinedRenderingPlugin>()
        .disable::<bevy::log::LogPlugin>()
}

/// Finishes the app and adds a camera that renders to an image.
fn render_to_image(app: &mut App) {
    app.init_resource::<Captured>();
    app.finish();
    app.cleanup();
    let target = Image::new_target_texture(SCREEN, SCREEN, TextureFormat::Rgba8UnormSrgb, None);
    let screen = app.world_mut().resource_mut::<Assets<Image>>().add(target);
    app.world_mut().spawn((
        Camera2d,
        Msaa::Off,
        IsDefaultUiCamera,
        RenderTarget::Image(screen.clone().into()),
    ));
    app.insert_resource(Screen(screen));
}

/// The pixel in the middle of the screen.
fn middle_of_screen(app: &mut App) -> [u8; 4] {
    screen(app).get_pixel(SCREEN / 2, SCREEN / 2).0
}

/// The pixels that the camera renders.
fn screen(app: &mut App) -> RgbaImage {
    // A picture is on screen two frames after it arrives. Pipelines take a few frames at the start.
    (0..4).for_each(|_| app.update());
    let screen = app.world().resource::<Screen>().0.clone();
    app.world_mut().spawn(Screenshot::image(screen)).observe(
        |shot: On<ScreenshotCaptured>, mut captured: ResMut<Captured>| {
            captured.0 =
                shot.image.clone().try_into_dynamic().ok().map(image::DynamicImage::into_rgba8);
        },
    );
    for _ in 0..100 {
        app.update();
        if let Some(image) = app.world_mut().resource_mut::<Captured>().0.take() {
            return image;
        }
    }
    panic!("the screen was not read back within 100 frames");
}
