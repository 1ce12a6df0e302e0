//! The Painter's Door: a short visual novel whose pictures are painted while it is read.

mod display;

fn main() {
    println!("{}", display::obstacle().as_deref().unwrap_or("a window can be opened"));
}
