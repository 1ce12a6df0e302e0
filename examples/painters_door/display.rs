//! Checks whether a window can be opened, because Bevy panics without a display or a graphics adapter.

use bevy::{render::settings::WgpuSettings, tasks::block_on};

/// The reason why no window can be opened; `None` if a window can be opened.
#[must_use]
pub fn obstacle() -> Option<String> {
    no_display().or_else(no_adapter)
}

/// Checks the X libraries too, because winit loads them only when it opens a window.
#[cfg(all(unix, not(target_os = "macos")))]
fn no_display() -> Option<String> {
    if std::env::var_os("DISPLAY").is_none_or(|name| name.is_empty()) {
        return Some("no display (DISPLAY is not set)".to_owned());
    }
    if let Err(error) = x11rb::connect(None) {
        return Some(format!("no display ({error})"));
    }
    let missing = [
        ("libX11", x11_dl::xlib::Xlib::open().is_err()),
        ("libX11-xcb", x11_dl::xlib_xcb::Xlib_xcb::open().is_err()),
        ("libXcursor", x11_dl::xcursor::Xcursor::open().is_err()),
        ("libXi", x11_dl::xinput2::XInput2::open().is_err()),
        ("libxkbcommon", xkbcommon_dl::xkbcommon_option().is_none()),
        ("libxkbcommon-x11", xkbcommon_dl::x11::xkbcommon_x11_option().is_none()),
    ]
    .into_iter()
    .find(|&(_, missing)| missing);
    missing.map(|(library, _)| format!("no display (the library {library} is not installed)"))
}

/// Windows and macOS always have a display.
#[cfg(not(all(unix, not(target_os = "macos"))))]
fn no_display() -> Option<String> {
    None
}

/// Requests the same adapter as Bevy's renderer.
fn no_adapter() -> Option<String> {
    let settings = WgpuSettings::default();
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor {
        backends: settings.backends.unwrap_or_default(),
        flags: settings.instance_flags,
        ..wgpu::InstanceDescriptor::new_without_display_handle()
    });
    let adapter = block_on(instance.request_adapter(&wgpu::RequestAdapterOptions {
        power_preference: settings.power_preference,
        force_fallback_adapter: settings.force_fallback_adapter,
        compatible_surface: None,
    }));
    let missing = "no graphics adapter (no driver for Vulkan, Metal or DirectX 12 was found)";
    adapter.err().map(|_| missing.to_owned())
}
