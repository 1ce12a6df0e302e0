//! The values of losses, step by step, of the picture that is drawn or was drawn last.

use std::collections::BTreeMap;

use egui::{Pos2, Rect, Sense, Shape, Stroke, Ui, pos2, vec2};

use crate::{
    art::TakeId,
    loss::LossValues,
    panel::{context::PanelContext, theme},
    recipe::Loss,
    storyboard::ShotId,
    studio::JobView,
};

/// The size of a curve, in points.
const HEIGHT: f32 = 28.0;

/// The values of the last edit of a take, or of the last drawing of a shot.
#[derive(Clone, Debug, Default)]
pub(in crate::panel) struct Curves {
    /// Each loss with the name of its part. `None` for a loss of the whole picture.
    curves: Vec<(Option<String>, LossValues)>,
    /// The last measured cost of each kind, strict or not: see [`LossValues::cost`].
    costs: BTreeMap<(String, bool), f32>,
}

/// Which of the values belong to a list of losses.
#[derive(Clone, Copy, Debug)]
pub(in crate::panel) struct CurveKey<'a> {
    /// The name of the part. `None` for the whole picture.
    pub part: Option<&'a str>,
    /// The index of the first loss of the list among all losses of the part or picture.
    pub first: usize,
}

impl Curves {
    /// Reads the values of the running edit of this take.
    pub(in crate::panel) fn update_of_edit(
        &mut self,
        shot: &ShotId,
        take: &TakeId,
        cx: &PanelContext<'_>,
    ) {
        let Some(view) = cx.current.as_ref().filter(|view| view.job.shot == *shot) else { return };
        let (Some(edit), Some(progress)) = (&view.job.recipe.edit, &view.progress) else { return };
        if edit.parent.as_ref() != Some(take) {
            return;
        }
        let part_of = |values: &LossValues| {
            let part = edit.parts.get(values.part?)?;
            Some((Some(part.name.clone()), values.clone()))
        };
        self.set(progress.losses.iter().filter_map(part_of).collect());
    }

    /// Reads the values of the picture that is drawn, if it belongs to this shot. `None`: to any shot.
    pub(super) fn update_of_picture(&mut self, shot: Option<&ShotId>, cx: &PanelContext<'_>) {
        let is_drawn = |view: &&JobView| view.job.recipe.edit.is_none();
        let Some(view) = cx.current.as_ref().filter(is_drawn) else { return };
        let is_of_other = shot.is_some_and(|shot| view.job.shot != *shot);
        let Some(progress) = view.progress.as_ref().filter(|_| !is_of_other) else { return };
        let of_picture = progress.losses.iter().filter(|values| values.part.is_none());
        self.set(of_picture.map(|values| (None, values.clone())).collect());
    }

    fn set(&mut self, curves: Vec<(Option<String>, LossValues)>) {
        let costs =
            curves.iter().filter_map(|(_, of)| Some(((of.kind.clone(), of.strict), of.cost?)));
        self.costs.extend(costs);
        self.curves = curves;
    }

    /// Shows the cost of a loss: the measured one, or the usual one before the first picture with the loss.
    pub(super) fn cost(&self, ui: &mut Ui, loss: &Loss) {
        let measured = self.costs.get(&(loss.kind.name().to_owned(), loss.strict)).copied();
        let Some(cost) = measured.or_else(|| loss.usual_cost()) else { return };
        let (about, tooltip) = match measured {
            Some(_) => ("", "How much longer a step takes with this loss, as measured last time"),
            None => (
                "about ",
                "How much longer a step takes with this loss and the built-in model. It will be measured while you draw",
            ),
        };
        ui.label(theme::small(format!("{about}+{:.0} % time", cost * 100.0)))
            .on_hover_text(tooltip);
    }

    /// The values of a loss, if it was drawn.
    fn of(&self, key: CurveKey<'_>, index: usize, loss: &Loss) -> Option<&[f32]> {
        let is_this = |(part, values): &&(Option<String>, LossValues)| {
            part.as_deref() == key.part
                && values.index == key.first + index
                && values.kind == loss.kind.name()
        };
        self.curves.iter().find(is_this).map(|(_, values)| values.values.as_slice())
    }

    /// Shows the curve of a loss, with a line at its stop value.
    pub(super) fn show(&self, ui: &mut Ui, key: CurveKey<'_>, index: usize, loss: &Loss) {
        let Some(values) = self.of(key, index, loss) else { return };
        let [Some(first), Some(last)] = [values.first(), values.last()] else { return };
        let (rect, response) =
            ui.allocate_exact_size(vec2(ui.available_width(), HEIGHT), Sense::hover());
        let most = values.iter().chain(&loss.stop).fold(1e-6, |most: f32, value| most.max(*value));
        let painter = ui.painter_at(rect);
        painter.rect_filled(rect, 3.0, theme::WELL);
        let y = |value: f32| rect.bottom() - 2.0 - (rect.height() - 4.0) * (value / most);
        if let Some(stop) = loss.stop {
            let line = [pos2(rect.left(), y(stop)), pos2(rect.right(), y(stop))];
            painter.add(Shape::dashed_line(&line, Stroke::new(1.0, theme::WARNING), 4.0, 3.0));
        }
        painter.line(points(rect, values, y), Stroke::new(1.5, theme::ACCENT));
        response.on_hover_text("The value of the loss in each step");
        ui.label(theme::small(format!("from {first:.2} to {last:.2}")));
    }
}

fn points(rect: Rect, values: &[f32], y: impl Fn(f32) -> f32) -> Vec<Pos2> {
    let step = rect.width() / (values.len().max(2) - 1) as f32;
    values
        .iter()
        .enumerate()
        .map(|(at, &value)| pos2(rect.left() + step * at as f32, y(value)))
        .collect()
}
