//! `illustrate select`: the mask of what is pointed at in a picture.

use std::{io::Write, path::PathBuf};

use bevy_illustrator::{
    diffusion::DeviceKind,
    mask::{
        Area,
        objects::{Objects, Pointing},
        sam::Sam,
    },
};

use crate::{
    failure::Failure,
    files::picture,
    output::{Unfinished, print},
};

#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("pointing").required(true).multiple(true).args(["point", "area"]))]
pub(crate) struct Select {
    /// The picture
    #[arg(long, value_name = "FILE.png")]
    picture: PathBuf,
    /// A pixel of what is meant
    #[arg(long, value_name = "X,Y", value_parser = point)]
    point: Vec<(u32, u32)>,
    /// A pixel of what is not meant
    #[arg(long, value_name = "X,Y", value_parser = point)]
    not: Vec<(u32, u32)>,
    /// A box around what is meant
    #[arg(long = "box", value_name = "X,Y,W,H", value_parser = area)]
    area: Option<Area>,
    /// MobileSAM's weights, to have it tell what belongs together instead of colours and edges
    #[arg(long, value_name = "FILE.safetensors")]
    mobile_sam: Option<PathBuf>,
    /// The mask: a grey PNG, white where it is
    #[arg(long, value_name = "MASK.png")]
    out: PathBuf,
}

impl Select {
    pub(crate) fn run(&self) -> Result<(), Failure> {
        let out = Unfinished::begin(&self.out)?;
        let image = picture(&self.picture)?;
        let size = image.dimensions();
        let corner = self.area.map(|area| (area.x, area.y));
        for &(x, y) in self.point.iter().chain(&self.not).chain(&corner) {
            if x >= size.0 || y >= size.1 {
                return Err(Failure::Outside { point: (x, y), picture: size });
            }
        }
        let (include, exclude) = (self.point.clone(), self.not.clone());
        let pointing = Pointing { include, exclude, area: self.area };
        let mask = match &self.mobile_sam {
            Some(weights) => {
                let sam = Sam::load(weights, &DeviceKind::Auto.open()?)?;
                sam.select(&sam.embed(&image)?, &pointing)?
            }
            None => Objects::of(&image).select(&pointing),
        };
        let png = mask.to_png()?;
        out.finish(|file| file.write_all(&png))?;
        let share = 100.0 * mask.coverage();
        print(&format!("Wrote {}: {share:.1} % of the picture", self.out.display()))
    }
}

fn numbers<const N: usize>(text: &str) -> Option<[u32; N]> {
    let numbers = text.split(',').map(|number| number.trim().parse().ok());
    numbers.collect::<Option<Vec<_>>>()?.try_into().ok()
}

fn point(text: &str) -> Result<(u32, u32), String> {
    let point = numbers(text).map(|[x, y]| (x, y));
    point.ok_or_else(|| "give column and row of a pixel: 120,80".to_owned())
}

fn area(text: &str) -> Result<Area, String> {
    let area = numbers(text).map(|[x, y, width, height]| Area { x, y, width, height });
    area.filter(|area| area.width > 0 && area.height > 0)
        .ok_or_else(|| "give left, top, width and height in pixels: 100,60,40,80".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_and_boxes_are_numbers_with_commas() {
        assert_eq!(point("3, 4"), Ok((3, 4)));
        assert_eq!(area("1,2,3,4"), Ok(Area { x: 1, y: 2, width: 3, height: 4 }));
        for bad in ["", "3", "3,4,5", "-1,2", "a,b", "1,2,0,4"] {
            assert!(point(bad).is_err() && area(bad).is_err(), "{bad}");
        }
    }
}
