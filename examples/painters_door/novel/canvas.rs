//! The canvas: a UI material that shows an [`Illustration`] as a painting.
//!
//! It shows the finished picture. Until then it shows the preview of the running drawing, or else a wash
//! of colour. Each image fades into the next one stroke by stroke.

use bevy::{
    prelude::*,
    reflect::TypePath,
    render::render_resource::{AsBindGroup, RenderPipelineDescriptor},
    shader::ShaderRef,
};
use bevy_illustrator::{
    components::{Illustration, IllustrationImage},
    hot_swap::HotSwapAppExt,
    plugin::IllustratorSystems,
    project::Project,
    storyboard::{ShotId, ShotState},
};

use super::{preview::Preview, wash::wash};

/// Shows an [`Illustration`] as a painting, as large as its node.
#[derive(Component, Clone, Debug)]
#[require(Illustration, Outlook)]
pub struct Canvas {
    /// The duration of a fade from one image to the next, in seconds.
    pub fade: f32,
    /// The distance that the view drifts over the picture, as a fraction of its size.
    pub drift: f32,
    /// The darkness of the corners, from 0 to 1.
    pub vignette: f32,
    /// The darkness of the upper and lower edges, behind the text, from 0 to 1.
    pub shade: f32,
    /// The brightness of the canvas.
    pub brightness: f32,
}

/// The state of the picture on a [`Canvas`].
#[derive(Component, Clone, Debug, Default, PartialEq)]
pub enum Outlook {
    /// The canvas has no shot, or the story is not loaded yet.
    #[default]
    Nothing,
    /// The picture is not painted yet.
    Waiting,
    /// The picture is being painted; the completed fraction, from 0 to 1.
    Painting(f32),
    /// The picture could not be painted; the reason.
    Failed(String),
    /// The picture is painted.
    Painted,
}

/// The material of a [`Canvas`].
#[derive(Asset, TypePath, AsBindGroup, Clone, Debug)]
#[bind_group_data(CanvasKey)]
struct CanvasMaterial {
    #[uniform(0)]
    pan: Vec2,
    #[uniform(0)]
    zoom: f32,
    #[uniform(0)]
    progress: f32,
    #[uniform(0)]
    vignette: f32,
    #[uniform(0)]
    shade: f32,
    #[uniform(0)]
    brightness: f32,
    #[texture(1)]
    #[sampler(2)]
    wash: Handle<Image>,
    #[texture(3)]
    #[dependency]
    under: Handle<Image>,
    #[texture(4)]
    #[dependency]
    over: Handle<Image>,
}

/// Selects the shader variant: a canvas without a fade samples one image instead of two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct CanvasKey {
    changing: bool,
}

impl From<&CanvasMaterial> for CanvasKey {
    fn from(material: &CanvasMaterial) -> Self {
        Self { changing: material.progress < 1.0 }
    }
}

impl UiMaterial for CanvasMaterial {
    fn fragment_shader() -> ShaderRef {
        "novel/canvas.wgsl".into()
    }

    fn specialize(descriptor: &mut RenderPipelineDescriptor, key: UiMaterialKey<Self>) {
        let Some(fragment) = &mut descriptor.fragment else { return };
        // A canvas is opaque.
        fragment.targets.iter_mut().flatten().for_each(|target| target.blend = None);
        if key.bind_group_data.changing {
            fragment.shader_defs.push("CHANGING".into());
        }
    }
}

/// The initial image of every canvas.
#[derive(Resource)]
struct Wash(Handle<Image>);

impl FromWorld for Wash {
    fn from_world(world: &mut World) -> Self {
        Self(world.resource_mut::<Assets<Image>>().add(wash()))
    }
}

pub(super) fn plugin(app: &mut App) {
    app.add_plugins(UiMaterialPlugin::<CanvasMaterial>::default())
        .hot_swap_material::<CanvasMaterial>()
        .init_resource::<Wash>()
        .add_systems(
            PostUpdate,
            (add_materials, update_outlooks, change_pictures, drift_views)
                .chain()
                .after(IllustratorSystems::Swap),
        );
}

/// Gives each new canvas its material.
fn add_materials(
    new: Query<(Entity, &Canvas), Without<MaterialNode<CanvasMaterial>>>,
    wash: Res<Wash>,
    mut materials: ResMut<Assets<CanvasMaterial>>,
    mut commands: Commands,
) {
    for (entity, canvas) in &new {
        let material = materials.add(CanvasMaterial {
            pan: Vec2::ZERO,
            zoom: 1.0,
            progress: 1.0,
            vignette: canvas.vignette,
            shade: canvas.shade,
            brightness: canvas.brightness,
            wash: wash.0.clone(),
            under: wash.0.clone(),
            over: wash.0.clone(),
        });
        commands.entity(entity).insert(MaterialNode(material));
    }
}

/// Updates the outlook of each canvas from the state of its shot.
fn update_outlooks(
    project: Option<Res<Project>>,
    mut canvases: Query<(&Illustration, &mut Outlook), With<Canvas>>,
) {
    let Some(project) = project else { return };
    for (illustration, mut outlook) in &mut canvases {
        let shot = illustration.shot(project.board());
        outlook.set_if_neq(shot.map_or(Outlook::Nothing, |shot| Outlook::of(&project, &shot)));
    }
}

/// Starts a fade on each canvas when a better image is available.
fn change_pictures(
    canvases: Query<(
        &Canvas,
        &Illustration,
        &Outlook,
        &IllustrationImage,
        &MaterialNode<CanvasMaterial>,
    )>,
    project: Option<Res<Project>>,
    preview: Res<Preview>,
    wash: Res<Wash>,
    time: Res<Time>,
    mut materials: ResMut<Assets<CanvasMaterial>>,
) {
    for (canvas, illustration, outlook, image, node) in &canvases {
        let previewed = || {
            let shot = illustration.shot(project.as_ref()?.board())?;
            preview.of(&shot)
        };
        let best = match outlook {
            Outlook::Painted => image.0.clone(),
            Outlook::Painting(_) => previewed().unwrap_or_else(|| wash.0.clone()),
            _ => wash.0.clone(),
        };
        let Some(mut material) = materials.get_mut(&node.0) else { continue };
        if material.over != best {
            material.under = std::mem::replace(&mut material.over, best);
            material.progress = 0.0;
        } else if material.progress < 1.0 {
            material.progress = (material.progress + time.delta_secs() / canvas.fade).min(1.0);
        }
        if material.brightness != canvas.brightness {
            let step = time.delta_secs() / canvas.fade;
            let difference = canvas.brightness - material.brightness;
            material.brightness += difference.clamp(-step, step);
        }
    }
}

/// Zooms and drifts the view, too slowly to be noticed.
fn drift_views(
    canvases: Query<(&Canvas, &MaterialNode<CanvasMaterial>)>,
    time: Res<Time>,
    mut materials: ResMut<Assets<CanvasMaterial>>,
) {
    let t = time.elapsed_secs();
    for (canvas, node) in canvases.iter().filter(|(canvas, _)| canvas.drift > 0.0) {
        let Some(mut material) = materials.get_mut(&node.0) else { continue };
        material.zoom = 1.0 - canvas.drift * (1.0 - 0.5 * (t * 0.05).cos());
        let margin = 0.5 * (1.0 - material.zoom);
        material.pan = margin * Vec2::new((t * 0.031).sin(), (t * 0.047 + 1.0).sin());
    }
}

impl Outlook {
    /// The outlook of a shot.
    fn of(project: &Project, shot: &ShotId) -> Self {
        let recipe = project.board().shot(shot).map(|shot| &shot.recipe);
        if project.art().shown(shot, recipe).is_some() {
            return Self::Painted;
        }
        match project.studio().current() {
            Some(view) if view.job.shot == *shot => {
                let part =
                    |p: bevy_illustrator::studio::Progress| p.done as f32 / p.of.max(1) as f32;
                Self::Painting(view.progress.map_or(0.0, part))
            }
            _ if project.state(shot) == ShotState::Failed => {
                let error = project.error(shot).map(|error| error.to_string());
                Self::Failed(error.unwrap_or_else(|| "the reason is unknown".to_owned()))
            }
            _ => Self::Waiting,
        }
    }

    /// The caption for the reader; empty for a painted picture.
    #[must_use]
    pub fn caption(&self) -> String {
        match self {
            Self::Nothing | Self::Painted => String::new(),
            Self::Waiting => "soon to be painted…".to_owned(),
            Self::Painting(part) => format!("being painted… {:.0} %", part * 100.0),
            Self::Failed(error) => format!("could not be painted: {error}"),
        }
    }
}
