//! Masks in PNG files, and the operations on them.

#![no_main]

use bevy_illustrator::mask::{Combine, Mask};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(mask) = Mask::from_png(bytes) else { return };
    let png = mask.to_png().expect("a mask with pixels");
    assert!(Mask::from_png(&png).expect("what was written is read") == mask);
    assert_eq!(mask.bounds().is_none(), mask.is_empty());
    if mask.values().len() > 1 << 16 {
        return;
    }
    for changed in [mask.grown(3), mask.shrunk(3), mask.feathered(3), mask.without_holes()] {
        assert_eq!(changed.size(), mask.size());
    }
    let mut both = mask.inverted();
    both.combine(&mask, Combine::Add).expect("the same size");
    assert!(both.values().iter().all(|value| *value >= 127));
});
