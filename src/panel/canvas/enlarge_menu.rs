//! The menu that makes a picture larger: by drawing what is around it, or by upscaling it.

use egui::{
    Align, Button, ComboBox, DragValue, Layout, PopupCloseBehavior, Ui,
    containers::menu::{MenuButton, MenuConfig},
};

use super::{Canvas, session::Session};
use crate::{
    panel::{
        context::PanelContext,
        theme,
        widgets::{percent, text_field},
    },
    project::Action,
    recipe::{
        Anchor, Canvas as PictureCanvas, EditKind, MAX_CANVAS_SIDE, Part, PartEdit, Size, Verdict,
    },
};

/// Common aspect ratios, with their names.
const RATIOS: [(&str, [u32; 2]); 4] =
    [("Wide 16:9", [16, 9]), ("4:3", [4, 3]), ("Square", [1, 1]), ("Tall 9:16", [9, 16])];

/// The factors that a picture can be upscaled by.
const FACTORS: [f32; 4] = [1.5, 2.0, 3.0, 4.0];

/// The settings of the menu.
#[derive(Debug)]
pub(super) struct EnlargeForm {
    /// The size of the new picture, if the author chose one.
    size: Option<Size>,
    anchor: (Anchor, Anchor),
    /// The prompt of the surroundings.
    words: String,
    factor: f32,
    strength: f32,
}

impl Default for EnlargeForm {
    fn default() -> Self {
        let words = String::new();
        Self { size: None, anchor: Default::default(), words, factor: 2.0, strength: 0.3 }
    }
}

/// A button that opens the menu.
pub(super) fn enlarge_menu(
    ui: &mut Ui,
    canvas: &mut Canvas,
    session: &Session,
    cx: &mut PanelContext<'_>,
) {
    let stays = MenuConfig::new().close_behavior(PopupCloseBehavior::CloseOnClickOutside);
    MenuButton::new("Enlarge").config(stays).ui(ui, |ui| {
        ui.set_width(300.0);
        let (form, picture) = (&mut canvas.enlarge_form, Size::new(session.size.0, session.size.1));
        // The layout of menus would stretch texts and buttons.
        let requested = ui.with_layout(Layout::top_down(Align::Min), |ui| {
            around(ui, form, picture).or_else(|| {
                ui.separator();
                upscaled(ui, form, session, picture)
            })
        });
        if let Some(Enlarged { canvas: larger, parts, tiled }) = requested.inner {
            let (shot, take) = (session.shot.clone(), session.take.clone());
            let action = Action::Enlarge { shot, take, canvas: larger, parts, tiled, takes: 1 };
            canvas.candidates.await_edit(cx.request(action));
            ui.close();
        }
    });
}

/// What the author requested.
struct Enlarged {
    canvas: PictureCanvas,
    parts: Vec<Part>,
    tiled: bool,
}

/// The form for drawing what is around the picture.
fn around(ui: &mut Ui, form: &mut EnlargeForm, picture: Size) -> Option<Enlarged> {
    ui.strong("Draw what is around the picture");
    let mut size = form.size.unwrap_or_else(|| with_ratio(picture, RATIOS[0].1));
    ui.horizontal_wrapped(|ui| {
        for (name, ratio) in RATIOS {
            let wanted = with_ratio(picture, ratio);
            let button = Button::selectable(size == wanted, name);
            if ui.add_enabled(wanted != picture, button).clicked() {
                (size, form.size) = (wanted, Some(wanted));
            }
        }
    });
    ui.horizontal(|ui| {
        for (side, least, name) in [
            (&mut size.width, picture.width, "Width"),
            (&mut size.height, picture.height, "Height"),
        ] {
            ui.label(name);
            let sides = least..=MAX_CANVAS_SIDE.max(least);
            if ui.add(DragValue::new(side).range(sides).suffix(" px")).changed() {
                form.size = Some(Size::new(0, 0));
            }
        }
    });
    if form.size.is_some() {
        form.size = Some(size);
    }
    let (across, down) = (size.width > picture.width, size.height > picture.height);
    if across || down {
        ui.horizontal(|ui| {
            ui.label("The picture is");
            if across {
                anchor(ui, "across", &mut form.anchor.0, ["left", "in the middle", "right"]);
            }
            if down {
                anchor(
                    ui,
                    "down",
                    &mut form.anchor.1,
                    ["at the top", "in the middle", "at the bottom"],
                );
            }
        });
    }
    let hint = "the walls of the room; without words, the prompt of the picture";
    text_field(ui, "Surroundings", hint, 2, &mut form.words);
    let canvas = PictureCanvas::around(picture, size, form.anchor).ok();
    let canvas = canvas.filter(|canvas| canvas.check(picture).is_ok() && size != picture);
    let button = theme::primary(format!("Draw around it: {size}"));
    let clicked = ui.add_enabled(canvas.is_some(), button).clicked();
    canvas.filter(|_| clicked).map(|canvas| {
        // A tile far from the picture would not continue it.
        let mut margins = Part::margins(&canvas);
        margins.edit.words.clone_from(&form.words);
        Enlarged { canvas, parts: vec![margins], tiled: false }
    })
}

/// The form for upscaling. Liked parts are only resized.
fn upscaled(
    ui: &mut Ui,
    form: &mut EnlargeForm,
    session: &Session,
    picture: Size,
) -> Option<Enlarged> {
    ui.strong("Upscale");
    ui.horizontal(|ui| {
        for factor in FACTORS {
            let fits = PictureCanvas::upscaled(picture, factor).check(picture).is_ok();
            let button = Button::selectable(form.factor == factor, format!("{factor}x"));
            if ui.add_enabled(fits, button).clicked() {
                form.factor = factor;
            }
        }
    });
    let hint = "20 % keeps the picture, 40 % adds details, and from 50 % on things may change";
    percent(ui, &mut form.strength, "new details").on_hover_text(hint);
    form.strength = form.strength.max(0.01);
    let liked = session.layers.iter().filter(|it| it.verdict == Verdict::Liked && !it.hidden);
    let liked: Vec<_> = liked.collect();
    let note = match liked.is_empty() {
        true => "Parts that you like are only resized. You have not marked any.",
        false => "Parts that you like are only resized.",
    };
    ui.add(egui::Label::new(theme::small(note)).wrap());
    let canvas = PictureCanvas::upscaled(picture, form.factor);
    let Size { width, height } = canvas.size;
    let button = theme::primary(format!("Upscale to {}", canvas.size));
    let fits = canvas.check(picture).is_ok();
    ui.add_enabled(fits, button).clicked().then(|| {
        let kept = liked.iter().map(|layer| {
            let mask = layer.mask.resized(width, height);
            Part::new(layer.name.clone(), mask, PartEdit::new(EditKind::Keep))
        });
        let whole = Part::whole(canvas.size, form.strength);
        Enlarged { canvas, parts: kept.chain([whole]).collect(), tiled: true }
    })
}

/// A choice of where the picture lies along one side.
fn anchor(ui: &mut Ui, side: &str, anchor: &mut Anchor, names: [&str; 3]) {
    let all = [Anchor::Start, Anchor::Middle, Anchor::End];
    let name = all.iter().zip(names).find(|(it, _)| *it == anchor).map_or("", |(_, name)| name);
    ComboBox::from_id_salt(side).width(104.0).selected_text(name).show_ui(ui, |ui| {
        for (value, name) in all.into_iter().zip(names) {
            ui.selectable_value(anchor, value, name);
        }
    });
}

/// The smallest size of this aspect ratio, to a pixel, that is as wide and as high as a picture.
fn with_ratio(picture: Size, [across, down]: [u32; 2]) -> Size {
    let Size { width, height } = picture;
    let scaled = |side: u32, by: u32, over: u32| {
        let scaled = (u64::from(side) * u64::from(by)).div_ceil(u64::from(over));
        u32::try_from(scaled).unwrap_or(u32::MAX)
    };
    let wider = scaled(height, across, down);
    if wider >= width {
        Size::new(wider, height)
    } else {
        Size::new(width, scaled(width, down, across))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_adds_to_the_side_that_is_too_short() {
        assert_eq!(with_ratio(Size::new(384, 224), [16, 9]), Size::new(399, 224));
        assert_eq!(with_ratio(Size::new(384, 224), [1, 1]), Size::new(384, 384));
        assert_eq!(with_ratio(Size::new(384, 224), [9, 16]), Size::new(384, 683));
        assert_eq!(with_ratio(Size::new(320, 180), [16, 9]), Size::new(320, 180));
    }
}
