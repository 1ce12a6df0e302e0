//! `ledger.ron` of an art folder. A ledger that cannot be read stays, and one that is written is read back.

#![no_main]

use std::fs;

use bevy_illustrator::art::{Art, Ledger};
use bevy_illustrator_fuzz::empty_folder;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let root = empty_folder();
    let path = root.join("ledger.ron");
    fs::write(&path, bytes).expect("room");
    let mut art = match Art::open(root) {
        Ok(art) => art,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            assert_eq!(fs::read(&path).expect("the ledger stays"), bytes);
            return;
        }
    };
    let contents = |art: &Art| Ledger {
        words: art.words().clone(),
        style: art.style().cloned(),
        keys: art.keys().clone(),
        propagations: art.pending_propagations().clone(),
        ..Ledger::default()
    };
    let mut keys = art.keys().clone();
    keys.insert("fuzz".to_owned(), vec![keys.len().to_string()]);
    art.set_keys(keys).expect("the ledger is written");
    let written = contents(&art);
    drop(art);
    let art = Art::open(root).expect("what was written is read");
    // NaN is not equal to itself.
    assert_eq!(format!("{:?}", contents(&art)), format!("{written:?}"));
});
