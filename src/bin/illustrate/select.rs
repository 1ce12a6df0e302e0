//! `illustrate select`: writes the mask of an object.

use std::path::PathBuf;

use bevy_illustrator::{
    diffusion::DeviceKind,
    mask::{
        Area, Combine, Mask,
        objects::{Objects, SelectionPrompt},
        sam::Sam,
    },
};

use crate::{
    failure::Failure,
    files::picture,
    output::{Existing, Format, Outputs, print},
};

#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("pointing").required(true).multiple(true).args(["point", "area"]))]
pub(crate) struct Select {
    /// The picture
    #[arg(long, value_name = "FILE.png")]
    picture: PathBuf,
    /// A pixel of the object; can be given several times
    #[arg(long, value_name = "X,Y", value_parser = point)]
    point: Vec<(u32, u32)>,
    /// A pixel that the mask must not contain; can be given several times
    #[arg(long, value_name = "X,Y", value_parser = point)]
    not: Vec<(u32, u32)>,
    /// A box around the object, clipped to the picture; its top left corner must lie inside. With several boxes, the
    /// mask contains the objects of all
    #[arg(long = "box", value_name = "X,Y,W,H", value_parser = area)]
    area: Vec<Area>,
    /// MobileSAM's weights; without them, objects are found by colours and edges
    #[arg(long, value_name = "FILE.safetensors")]
    mobile_sam: Option<PathBuf>,
    /// The mask file, a grey PNG that is white inside the mask
    #[arg(long, value_name = "MASK.png")]
    out: PathBuf,
}

impl Select {
    pub(crate) fn run(&self) -> Result<(), Failure> {
        let inputs = [Some(&self.picture), self.mobile_sam.as_ref()];
        let inputs = inputs.into_iter().flatten().map(PathBuf::as_path);
        let out = Outputs::of_inputs(inputs).begin(&self.out, Format::Png, Existing::Replaced)?;
        let image = picture(&self.picture)?.image;
        let size = image.dimensions();
        let corners = self.area.iter().map(|area| (area.x, area.y)).collect::<Vec<_>>();
        for &(x, y) in self.point.iter().chain(&self.not).chain(&corners) {
            if x >= size.0 || y >= size.1 {
                return Err(Failure::Outside { point: (x, y), picture: size });
            }
        }
        // Masks are added at once: a large picture may have many boxes.
        let mut mask = Mask::empty(size.0, size.1);
        match &self.mobile_sam {
            Some(weights) => {
                let sam = Sam::load(weights, &DeviceKind::Auto.open()?)?;
                let embedding = sam.embed(&image)?;
                for prompt in self.prompts(size) {
                    mask.combine(&sam.select(&embedding, &prompt)?, Combine::Add)?;
                }
            }
            None => {
                let objects = Objects::detect(&image);
                drop(image);
                for prompt in self.prompts(size) {
                    mask.combine(&objects.select(&prompt), Combine::Add)?;
                }
            }
        }
        let png = mask.to_png()?;
        let file = out.finish(&png)?;
        let share = 100.0 * mask.coverage();
        print(&format!("Wrote {}: {share:.1} % of the picture", file.display()))
    }

    /// The prompts for a picture of `size`: all points with the first box, then each further box with the excluded
    /// points.
    fn prompts(&self, size: (u32, u32)) -> impl Iterator<Item = SelectionPrompt> {
        let mut areas = self.area.iter().map(move |&area| clip(area, size));
        let first = areas.next();
        let points =
            SelectionPrompt { include: self.point.clone(), exclude: self.not.clone(), area: first };
        let more = areas.map(|area| SelectionPrompt {
            include: Vec::new(),
            exclude: self.not.clone(),
            area: Some(area),
        });
        std::iter::once(points).chain(more)
    }
}

/// Clips a box that starts inside a picture of `size`.
fn clip(area: Area, size: (u32, u32)) -> Area {
    let width = area.right().min(size.0).saturating_sub(area.x);
    let height = area.bottom().min(size.1).saturating_sub(area.y);
    Area { width, height, ..area }
}

fn numbers<const N: usize>(text: &str) -> Option<[u32; N]> {
    let numbers = text.split(',').map(|number| number.trim().parse().ok());
    numbers.collect::<Option<Vec<_>>>()?.try_into().ok()
}

fn point(text: &str) -> Result<(u32, u32), String> {
    let point = numbers(text).map(|[x, y]| (x, y));
    point.ok_or_else(|| "expected the column and row of a pixel, such as 120,80".to_owned())
}

fn area(text: &str) -> Result<Area, String> {
    let area = numbers(text).map(|[x, y, width, height]| Area { x, y, width, height });
    area.filter(|area| area.width > 0 && area.height > 0).ok_or_else(|| {
        "expected left, top, width and height in pixels, such as 100,60,40,80".to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_box_is_clipped_to_the_picture() {
        let area = |x, y, width, height| Area { x, y, width, height };
        let clipped = |area| clip(area, (96, 64));
        assert_eq!(clipped(area(28, 12, 40, 40)), area(28, 12, 40, 40));
        assert_eq!(clipped(area(28, 12, 1000, 40)), area(28, 12, 68, 40));
        assert_eq!(clipped(area(28, 12, u32::MAX, u32::MAX)), area(28, 12, 68, 52));
    }

    #[test]
    fn points_and_boxes_are_comma_separated_numbers() {
        assert_eq!(point("3, 4"), Ok((3, 4)));
        assert_eq!(area("1,2,3,4"), Ok(Area { x: 1, y: 2, width: 3, height: 4 }));
        for bad in ["", "3", "3,4,5", "-1,2", "a,b", "1,2,0,4"] {
            assert!(point(bad).is_err() && area(bad).is_err(), "{bad}");
        }
    }
}
