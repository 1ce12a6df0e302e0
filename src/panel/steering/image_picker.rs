//! Choosing an image for an inspiration or a loss: a picture of the story, a file, the clipboard, or what the game
//! shows.

use std::{
    borrow::Cow,
    path::PathBuf,
    sync::Arc,
    thread::{self, JoinHandle},
    time::Duration,
};

use egui::{Align, Button, Color32, Key, Label, Layout, Sense, Ui, WidgetInfo, WidgetType, vec2};
use image::RgbaImage;

use super::extracted::Extracted;
use crate::{
    art::Take,
    foreign,
    panel::{
        context::PanelContext,
        image_request::{ImageReply, ImageSource},
        picture::{self, Content},
        theme,
    },
    picture::{centre_in_shape, decode, reference_image},
    recipe::{ImageUse, Size},
    storyboard::Shot,
};

/// The longest side of a chosen image, in pixels. Larger images are scaled down.
const MAX_IMAGE_SIDE: u32 = 1024;

/// The height of a picture of the story, in points.
const TILE_HEIGHT: f32 = 48.0;

/// The maximum height of all pictures of the story, in points. Beyond it, they scroll.
const MAX_HEIGHT: f32 = 170.0;

/// The state of the picker.
#[derive(Debug, Default)]
pub(super) struct ImagePicker {
    /// Whether it was shown before.
    is_shown: bool,
    /// What to extract from the image.
    extracted: Extracted,
    /// The path that the author types.
    path: String,
    /// The thread that reads an image.
    reading: Option<JoinHandle<ReadImage>>,
    /// The reason why the last image cannot be used.
    error: Option<String>,
}

type ReadImage = Result<Arc<RgbaImage>, String>;

/// Reads an image on a thread.
type Read = Box<dyn FnOnce() -> Result<RgbaImage, String> + Send>;

/// The result of a frame.
#[derive(Debug, Default)]
pub(super) struct Picked {
    /// The image, once it is read.
    pub image: Option<Arc<RgbaImage>>,
    /// Whether the author cancelled.
    pub is_cancelled: bool,
    /// Whether the text field has the focus.
    pub is_typing: bool,
}

impl ImagePicker {
    /// Whether it is shown for the first time.
    pub(super) fn opened(&mut self) -> bool {
        !std::mem::replace(&mut self.is_shown, true)
    }

    /// Shows the picker of an image for this use in a picture of this size. `None` for pictures of several sizes.
    pub(super) fn show(
        &mut self,
        ui: &mut Ui,
        cx: &mut PanelContext<'_>,
        usage: ImageUse,
        size: Option<Size>,
    ) -> Picked {
        let mut picked = Picked::default();
        self.extracted.show(ui, usage);
        if usage.holds_shapes() {
            let hint = match size {
                Some(_) => "Of an image of another shape, the middle is used.",
                None => "The image must have the shape of every picture.",
            };
            ui.add(Label::new(theme::small(hint)).wrap());
        }
        let mut read = self.pictures_of_story(ui, cx);
        read = sources(ui, cx).or(read);
        let path = self.path.trim().trim_matches('"').to_owned();
        ui.horizontal(|ui| {
            let label = ui.label(theme::small("Path"));
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                let open = ui.add_enabled(!path.is_empty(), Button::new("Open"));
                let is_opened = open.on_hover_text("Reads this file").clicked();
                let field = theme::field(&mut self.path, 1, "of an image file");
                let field = ui.add(field.id_salt("image path")).labelled_by(label.id);
                picked.is_typing = field.has_focus();
                let is_entered =
                    field.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter));
                if (is_opened || is_entered) && !path.is_empty() {
                    read = Some(of_file(PathBuf::from(path)));
                }
            });
        });
        let dropped =
            ui.input(|input| input.raw.dropped_files.first().map(|it| it.path().to_owned()));
        read = dropped.map(of_file).or(read);
        ui.horizontal_wrapped(|ui| {
            ui.add(Label::new(theme::small("Or drop an image file on the window.")));
            picked.is_cancelled = ui.small_button("Cancel").clicked();
        });
        if let Some(read) = read {
            self.start(ui, read, usage, size.filter(|_| usage.holds_shapes()));
        }
        let mut has_new_error = false;
        if let Some(thread) = self.reading.take_if(|thread| thread.is_finished()) {
            let read = thread.join().unwrap_or_else(|_| Err("The image cannot be read".to_owned()));
            match read {
                Ok(image) => picked.image = Some(image),
                Err(error) => {
                    self.error = Some(error);
                    has_new_error = true;
                }
            }
        }
        if self.reading.is_some() {
            // The thread may end after its request for a repaint.
            ui.ctx().request_repaint_after(Duration::from_millis(50));
            ui.label(theme::small("Reading the image..."));
        }
        if let Some(error) = &self.error {
            let shown = ui.scope(|ui| theme::error_box(ui, error, "Choose another image."));
            if has_new_error {
                // It may be below the visible area.
                shown.response.scroll_to_me(None);
            }
        }
        picked
    }

    /// Reads an image on a thread. Cuts it to the shape of a picture of this size.
    fn start(&mut self, ui: &Ui, read: Read, usage: ImageUse, shape: Option<Size>) {
        let waker = ui.ctx().clone();
        let extracted = self.extracted;
        let started = thread::Builder::new().name("illustrator-image".into()).spawn(move || {
            let image = read().map(|image| {
                let image = match shape {
                    Some(Size { width, height }) => centre_in_shape(&image, (width, height)),
                    None => Cow::Borrowed(&image),
                };
                let image = reference_image(&image, MAX_IMAGE_SIDE);
                Arc::new(match extracted.map(&image, usage) {
                    Some(map) => map.extract(&image),
                    None => image.into_owned(),
                })
            });
            waker.request_repaint();
            image
        });
        (self.reading, self.error) = match started {
            Ok(thread) => (Some(thread), None),
            Err(error) => (None, Some(format!("No thread could be started: {error}"))),
        };
    }

    /// Shows the current pictures of all shots. Returns how to read the one that was clicked.
    fn pictures_of_story(&self, ui: &mut Ui, cx: &mut PanelContext<'_>) -> Option<Read> {
        let shots = cx.project.board().shots();
        let takes = shots.iter().filter_map(|shot| Some((shot, cx.project.shown(&shot.id)?)));
        let takes: Vec<(&Shot, &Take)> = takes.collect();
        let mut chosen = None;
        egui::ScrollArea::vertical()
            .id_salt("pictures")
            .max_height(MAX_HEIGHT)
            .min_scrolled_height(MAX_HEIGHT)
            .show(ui, |ui| {
                ui.horizontal_wrapped(|ui| {
                    ui.spacing_mut().item_spacing = vec2(4.0, 4.0);
                    for (shot, take) in takes {
                        if tile(ui, cx, shot, take) {
                            chosen = Some(of_take(take.clone()));
                        }
                    }
                });
            });
        chosen
    }
}

/// Shows a picture of the story. Returns whether it was clicked.
fn tile(ui: &mut Ui, cx: &mut PanelContext<'_>, shot: &Shot, take: &Take) -> bool {
    let size = vec2(TILE_HEIGHT * picture::aspect(take.recipe().size), TILE_HEIGHT);
    let (rect, response) = ui.allocate_exact_size(size, Sense::click());
    if ui.is_rect_visible(rect) {
        let content = Content::take(cx, take, size.x);
        picture::paint(ui, rect, Some(&content), "", Color32::WHITE);
        picture::outline(ui, rect, false, response.hovered());
    }
    let name = format!("Use {}", shot.title);
    response.widget_info(|| WidgetInfo::labeled(WidgetType::Button, ui.is_enabled(), &name));
    response.on_hover_text(&name).clicked()
}

/// The buttons for images from outside the story. Returns how to read the one that was requested.
fn sources(ui: &mut Ui, cx: &mut PanelContext<'_>) -> Option<Read> {
    let sources = [
        (ImageSource::Clipboard, "Paste", "Takes the image that you copied in another program"),
        (
            ImageSource::Game,
            "What the game shows",
            "Takes a picture of the game as it is now, without this panel",
        ),
    ];
    let mut chosen = None;
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing = vec2(4.0, 4.0);
        for (source, name, tooltip) in sources {
            if ui.button(name).on_hover_text(tooltip).clicked() {
                chosen = Some(of_reply(name, cx.request_image(source)));
            }
        }
    });
    chosen
}

fn of_reply(name: &'static str, reply: ImageReply) -> Read {
    Box::new(move || reply.wait().map_err(|error| format!("{name}: {error}")))
}

fn of_take(take: Take) -> Read {
    Box::new(move || take.image().map_err(|error| error.to_string()))
}

fn of_file(path: PathBuf) -> Read {
    Box::new(move || {
        let wrong =
            |reason: &dyn std::fmt::Display| format!("Cannot read {}: {reason}", path.display());
        let bytes = foreign::read(&path, foreign::MAX_PICTURE).map_err(|error| wrong(&error))?;
        Ok(decode(&bytes).map_err(|error| wrong(&error))?.into_rgba8())
    })
}
