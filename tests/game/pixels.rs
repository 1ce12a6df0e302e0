//! What is really on screen: pixels read back from the graphics adapter (a software one will do).
//!
//! Without an adapter these tests fail; leave the feature `gpu_tests` off where there is none.

use bevy::{
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
    hot_swap::{HotSwapAppExt, HotSwapPlugin, Illustrations},
    project::Update as ProjectUpdate,
    storyboard::ShotId,
};
use image::{Rgba, RgbaImage};

/// Width and height of what is rendered.
const SCREEN: u32 = 64;

const RED: [u8; 4] = [200, 20, 20, 255];
const BLUE: [u8; 4] = [20, 20, 200, 255];
const GREEN: [u8; 4] = [20, 200, 20, 255];

/// The image that the camera renders to.
#[derive(Resource)]
struct Screen(Handle<Image>);

/// What was read back, once it was.
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

/// Takes a handle once, puts it on the screen, and looks at the screen after each picture.
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

/// An app that renders to an image.
fn game_without_window() -> App {
    let mut app = App::new();
    let window =
        WindowPlugin { primary_window: None, exit_condition: ExitCondition::DontExit, ..default() };
    let render = RenderPlugin { synchronous_pipeline_compilation: true, ..default() };
    app.add_plugins(
        DefaultPlugins
            .set(window)
            .set(render)
            .disable::<WinitPlugin>()
            .disable::<PipelinedRenderingPlugin>()
            .disable::<bevy::log::LogPlugin>(),
    )
    .add_plugins(HotSwapPlugin)
    .add_message::<ProjectUpdate>()
    .hot_swap_material::<ColorMaterial>()
    .init_resource::<Captured>();
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
    app
}

/// The pixel in the middle of what the camera renders.
fn middle_of_screen(app: &mut App) -> [u8; 4] {
    // Pictures are on screen two frames after they came, and pipelines want a few at the start.
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
            return image.get_pixel(SCREEN / 2, SCREEN / 2).0;
        }
    }
    panic!("the screen was not read back within 100 frames");
}
