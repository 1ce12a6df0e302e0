//! The author's panel, driven by the labels of its widgets.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod app_exit;
mod canvas;
#[path = "../../src/test_support/copy_folder.rs"]
mod copy_folder;
mod downloads;
#[path = "../common/held_log.rs"]
mod held_log;
mod image_sources;
#[path = "../common/ldm_files.rs"]
mod ldm_files;
#[path = "../common/mobile_sam.rs"]
mod mobile_sam;
mod models;
mod refused;
mod steering;
mod storyboard;
mod support;
mod tabs;
#[cfg(target_os = "linux")]
#[path = "../common/threads.rs"]
mod threads;
mod thumbnails;
