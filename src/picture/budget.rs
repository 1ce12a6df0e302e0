//! The memory for the masks, scribbles and images of a recipe.

/// The most bytes of the decoded pixels of all masks, scribbles and images of a recipe, or of the marks on a take.
pub const MAX_PIXEL_BYTES: u64 = 512 << 20;

/// The bytes that are left for decoded masks, scribbles and images: [`MAX_PIXEL_BYTES`] at first. A pixel of a mask has one
/// byte, that of an image four.
#[derive(Debug)]
pub struct PixelBudget {
    left: u64,
}

/// The masks, scribbles and images need more memory than [`MAX_PIXEL_BYTES`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the masks, scribbles and images have more than {} MB of pixels together: \
     use fewer or smaller images, or divide the edit into several edits",
    MAX_PIXEL_BYTES >> 20
)]
pub struct TooManyPixels;

impl Default for PixelBudget {
    fn default() -> Self {
        Self { left: MAX_PIXEL_BYTES }
    }
}

impl PixelBudget {
    /// Takes the bytes of a mask or an image.
    ///
    /// # Errors
    /// If fewer are left.
    pub fn take(&mut self, bytes: u64) -> Result<(), TooManyPixels> {
        self.left = self.left.checked_sub(bytes).ok_or(TooManyPixels)?;
        Ok(())
    }

    /// Takes the bytes of an image in RGBA.
    ///
    /// # Errors
    /// As [`Self::take`].
    pub fn take_image(&mut self, (width, height): (u32, u32)) -> Result<(), TooManyPixels> {
        self.take((u64::from(width) * u64::from(height)).saturating_mul(4))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_fit_until_they_have_more_than_512_mb() {
        let mut budget = PixelBudget::default();
        // 32 * 16 MB.
        for _ in 0..32 {
            budget.take_image((2048, 2048)).unwrap();
        }
        assert_eq!(budget.take(1), Err(TooManyPixels));
        assert!(TooManyPixels.to_string().contains("512 MB"));
        assert_eq!(PixelBudget::default().take_image((u32::MAX, u32::MAX)), Err(TooManyPixels));
    }
}
