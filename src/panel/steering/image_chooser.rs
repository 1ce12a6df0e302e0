//! Chooses the images of inspirations and losses, and shows them.

use std::{collections::BTreeMap, fmt, sync::Arc};

use egui::{
    Button, Color32, ColorImage, CursorIcon, Label, Sense, TextureHandle, TextureOptions, Ui, Vec2,
    WidgetInfo, WidgetType,
};
use image::RgbaImage;

use super::{SteeringOf, image_picker::ImagePicker};
use crate::{
    panel::{
        context::PanelContext,
        picture::{self, Content},
        theme,
        thumbnails::Texture,
    },
    picture::scaled_down,
    recipe::{BlobId, ImageUse, Images},
};

/// The longest side of the thumbnail of an image, in points.
const THUMBNAIL: f32 = 64.0;

/// The entry of a list that gets the chosen image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    /// A new inspiration for this use.
    NewInspiration(ImageUse),
    /// A new loss, which the button with this name adds.
    NewLoss(&'static str),
    /// The inspiration at this index, which has this image now.
    Inspiration(usize, BlobId),
    /// The loss at this index, which has this image now.
    Loss(usize, BlobId),
}

/// The image picker of the lists, and the thumbnails of new images.
#[derive(Default)]
pub(super) struct ImageChooser {
    /// The entry that an image is chosen for.
    open: Option<(Entry, ImagePicker)>,
    textures: BTreeMap<BlobId, TextureHandle>,
}

/// The result of a frame.
#[derive(Debug, Default)]
pub(super) struct Chosen {
    /// The image, once it is chosen.
    pub id: Option<BlobId>,
    /// Whether a text field has the focus.
    pub is_typing: bool,
}

impl ImageChooser {
    /// Whether the picker is open for this entry.
    fn is_open(&self, entry: &Entry) -> bool {
        self.open.as_ref().is_some_and(|(open, _)| open == entry)
    }

    /// A button that opens the picker for an entry, or closes it.
    pub(super) fn button(&mut self, ui: &mut Ui, entry: Entry, name: &str, tooltip: &str) {
        let button = Button::selectable(self.is_open(&entry), name).frame_when_inactive(true);
        if ui.add(button).on_hover_text(tooltip).clicked() {
            self.toggle(entry);
        }
    }

    fn toggle(&mut self, entry: Entry) {
        self.open = (!self.is_open(&entry)).then(|| (entry, ImagePicker::default()));
    }

    /// Shows the picker if it is open for this entry. `name` is that of the use of the image in plain words.
    pub(super) fn picker(
        &mut self,
        ui: &mut Ui,
        cx: &mut PanelContext<'_>,
        entry: &Entry,
        name: &str,
        usage: ImageUse,
        of: &mut SteeringOf<'_>,
    ) -> Chosen {
        let Some((_, picker)) = self.open.as_mut().filter(|(open, _)| open == entry) else {
            return Chosen::default();
        };
        let picked = theme::card().inner_margin(6).show(ui, |ui| {
            ui.add(Label::new(format!("Choose the image for “{name}”")).wrap());
            picker.show(ui, cx, usage, of.size)
        });
        if picker.opened() {
            // Most of it may be below the visible area.
            picked.response.scroll_to_me(None);
        }
        let picked = picked.inner;
        if picked.image.is_some() || picked.is_cancelled {
            self.open = None;
        }
        let id = picked.image.map(|image| {
            let id = BlobId::of_image(&image);
            of.images.insert(id.clone(), image);
            id
        });
        Chosen { id, is_typing: picked.is_typing }
    }

    /// Shows the image of an entry, with a button that opens the picker for another one. Returns whether a text field
    /// has the focus.
    pub(super) fn image(
        &mut self,
        ui: &mut Ui,
        cx: &mut PanelContext<'_>,
        entry: &Entry,
        name: &str,
        usage: ImageUse,
        id: &mut BlobId,
        of: &mut SteeringOf<'_>,
    ) -> bool {
        ui.horizontal(|ui| {
            let is_clicked = self.thumbnail(ui, cx, id, of.images.get(id));
            self.button(ui, entry.clone(), "Change the image", "Opens the image picker again");
            if is_clicked {
                self.toggle(entry.clone());
            }
        });
        let chosen = self.picker(ui, cx, entry, name, usage, of);
        if let Some(new) = chosen.id {
            *id = new;
        }
        chosen.is_typing
    }

    /// Drops the thumbnails of images that are not new any more.
    pub(super) fn retain(&mut self, images: &Images) {
        self.textures.retain(|id, _| images.contains_key(id));
    }

    /// Shows an image. `None` if it is in the art folder. Returns whether it was clicked.
    fn thumbnail(
        &mut self,
        ui: &mut Ui,
        cx: &mut PanelContext<'_>,
        id: &BlobId,
        image: Option<&Arc<RgbaImage>>,
    ) -> bool {
        let content = match image {
            Some(image) => {
                let texture = self.textures.entry(id.clone()).or_insert_with(|| upload(ui, image));
                Content::new(Texture::Ready(texture.id()), texture.size_vec2())
            }
            None => Content::image(ui, cx, id),
        };
        let (rect, response) = ui.allocate_exact_size(Vec2::splat(THUMBNAIL), Sense::click());
        picture::paint(ui, rect, Some(&content), "", Color32::WHITE);
        response.widget_info(|| WidgetInfo::labeled(WidgetType::Image, ui.is_enabled(), "Image"));
        response.on_hover_cursor(CursorIcon::PointingHand).clicked()
    }
}

impl fmt::Debug for ImageChooser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ImageChooser").field("open", &self.open).finish_non_exhaustive()
    }
}

fn upload(ui: &Ui, image: &RgbaImage) -> TextureHandle {
    let image = scaled_down(image, 2 * THUMBNAIL as u32);
    let size = [image.width() as usize, image.height() as usize];
    let pixels = ColorImage::from_rgba_unmultiplied(size, image.as_raw());
    ui.ctx().load_texture("image of a list", pixels, TextureOptions::LINEAR)
}
