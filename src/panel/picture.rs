//! Fits pictures into boxes without stretching them.

use egui::{
    Align2, Color32, CornerRadius, FontId, Image, Rect, Stroke, StrokeKind, Ui, Vec2,
    load::SizedTexture, vec2,
};

use super::{
    context::PanelContext,
    theme,
    thumbnails::{Picture, SMALL_SIDE, Texture},
};
use crate::{
    art::Take,
    recipe::{BlobId, Size},
    storyboard::ShotId,
    studio::JobView,
};

/// The content of a box.
pub(super) struct Content {
    texture: Texture,
    size: Vec2,
}

impl Content {
    /// A take, for a box of this many points.
    pub(super) fn take(cx: &mut PanelContext<'_>, take: &Take, box_side: f32) -> Self {
        let Size { width, height } = take.provenance.recipe.size;
        // Twice as many pixels as points, for high-density screens.
        let small = box_side * 2.0 <= SMALL_SIDE as f32;
        let picture = if small { Picture::Small(take) } else { Picture::Full(take) };
        Self { texture: cx.thumbnails.of(picture), size: vec2(width as f32, height as f32) }
    }

    /// A texture of this size.
    pub(super) const fn new(texture: Texture, size: Vec2) -> Self {
        Self { texture, size }
    }

    /// An image of an inspiration or a loss, which is in the art folder.
    pub(super) fn image(ui: &Ui, cx: &mut PanelContext<'_>, id: &BlobId) -> Self {
        let texture = cx.thumbnails.of(Picture::Image(&cx.project.art().blobs(), id));
        let size = match texture {
            Texture::Ready(id) => ui.ctx().tex_manager().read().meta(id).map(|it| it.size),
            Texture::Loading | Texture::Failed(_) => None,
        };
        let size =
            size.map_or(Vec2::splat(1.0), |[width, height]| vec2(width as f32, height as f32));
        Self { texture, size }
    }

    /// The preview of the current job, if it belongs to this shot.
    pub(super) fn preview(cx: &mut PanelContext<'_>, shot: &ShotId) -> Option<Self> {
        let JobView { job, progress } = cx.current.as_ref()?;
        let image = progress.as_ref()?.preview.as_ref()?;
        if job.shot != *shot {
            return None;
        }
        let Size { width, height } = job.recipe.size;
        let texture = cx.thumbnails.of(Picture::Preview(job.id, image));
        Some(Self { texture, size: vec2(width as f32, height as f32) })
    }

    /// The current picture of a shot: the preview of its job, or else the take that the game shows.
    pub(super) fn of(cx: &mut PanelContext<'_>, shot: &ShotId, side: f32) -> Option<Self> {
        Self::preview(cx, shot).or_else(|| Some(Self::take(cx, cx.project.shown(shot)?, side)))
    }
}

/// Paints a picture into `rect`, or the text `nothing` if there is none. Returns the area of the picture itself.
pub(super) fn paint(
    ui: &Ui,
    rect: Rect,
    content: Option<&Content>,
    nothing: &str,
    tint: Color32,
) -> Rect {
    ui.painter().rect_filled(rect, CornerRadius::same(4), theme::WELL);
    let (words, colour) = match content {
        Some(Content { texture: Texture::Ready(id), size }) => {
            let covered = fit(rect, *size);
            Image::from_texture(SizedTexture::new(*id, covered.size()))
                .corner_radius(4)
                .tint(tint)
                .paint_at(ui, covered);
            return covered;
        }
        Some(Content { texture: Texture::Failed(error), .. }) => (error.as_str(), theme::ERROR),
        Some(Content { texture: Texture::Loading, .. }) => ("", theme::WEAK),
        None => (nothing, theme::WEAK),
    };
    let text = ui.painter().layout(
        words.to_owned(),
        FontId::proportional(12.0),
        colour,
        rect.width() - 2.0 * theme::STEP,
    );
    let place = Align2::CENTER_CENTER.anchor_size(rect.center(), text.size());
    ui.painter().with_clip_rect(rect.intersect(ui.clip_rect())).galley(place.min, text, colour);
    rect
}

/// The outline of a picture that can be clicked.
pub(super) fn outline(ui: &Ui, rect: Rect, chosen: bool, hovered: bool) {
    let stroke = match (chosen, hovered) {
        (true, _) => Stroke::new(2.0, theme::ACCENT),
        (false, true) => Stroke::new(1.0, theme::WEAK),
        (false, false) => Stroke::new(1.0, theme::LINE),
    };
    ui.painter().rect_stroke(rect, CornerRadius::same(4), stroke, StrokeKind::Inside);
}

/// Width divided by height, clamped to the range that the layout supports.
pub(super) fn aspect(size: Size) -> f32 {
    (size.width as f32 / size.height.max(1) as f32).clamp(0.6, 1.8)
}

/// The largest rectangle of this aspect ratio, centred in `rect`.
fn fit(rect: Rect, size: Vec2) -> Rect {
    let scale = (rect.size() / size.max(Vec2::splat(1.0))).min_elem();
    Rect::from_center_size(rect.center(), size * scale)
}
