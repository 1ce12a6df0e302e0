// A painted canvas: fades from one picture to another, stroke by stroke.

#import bevy_ui::ui_vertex_output::UiVertexOutput

struct Canvas {
    // The offset of the view from the middle of the picture.
    pan: vec2<f32>,
    // The visible fraction of the picture, from 0 to 1.
    zoom: f32,
    // The progress of the fade to `over`, from 0 to 1.
    progress: f32,
    // How dark the corners are, from 0 to 1.
    vignette: f32,
    // How dark the upper and lower edges are, below the text, from 0 to 1.
    shade: f32,
    // The brightness of the canvas.
    brightness: f32,
}

@group(1) @binding(0) var<uniform> canvas: Canvas;
@group(1) @binding(1) var wash: texture_2d<f32>;
@group(1) @binding(2) var smooth_sampler: sampler;
@group(1) @binding(3) var under: texture_2d<f32>;
@group(1) @binding(4) var over: texture_2d<f32>;

// Cubic B-spline sampling from four linear samples: a small picture on a large canvas looks soft
// instead of pixelated.
fn sample_softly(picture: texture_2d<f32>, uv: vec2<f32>) -> vec3<f32> {
    let size = vec2<f32>(textureDimensions(picture));
    let at = uv * size - 0.5;
    let base = floor(at);
    let f = at - base;
    let g = 1.0 - f;
    let w0 = g * g * g / 6.0;
    let w1 = (4.0 - 6.0 * f * f + 3.0 * f * f * f) / 6.0;
    let w3 = f * f * f / 6.0;
    let w2 = 1.0 - w0 - w1 - w3;
    let low = w0 + w1;
    let high = w2 + w3;
    let near = (base - 0.5 + w1 / low) / size;
    let far = (base + 1.5 + w3 / high) / size;
    let upper = low.x * textureSampleLevel(picture, smooth_sampler, near, 0.0).rgb
        + high.x * textureSampleLevel(picture, smooth_sampler, vec2(far.x, near.y), 0.0).rgb;
    let lower = low.x * textureSampleLevel(picture, smooth_sampler, vec2(near.x, far.y), 0.0).rgb
        + high.x * textureSampleLevel(picture, smooth_sampler, far, 0.0).rgb;
    return low.y * upper + high.y * lower;
}

// The position in a picture of a point of the canvas. The picture covers the whole canvas.
fn cover(uv: vec2<f32>, canvas_size: vec2<f32>, picture: texture_2d<f32>) -> vec2<f32> {
    let size = vec2<f32>(textureDimensions(picture));
    let ratio = (canvas_size.x * size.y) / (canvas_size.y * size.x);
    let shown = select(vec2(ratio, 1.0), vec2(1.0, 1.0 / ratio), ratio > 1.0);
    return (uv - 0.5) * shown + 0.5;
}

@fragment
fn fragment(in: UiVertexOutput) -> @location(0) vec4<f32> {
    let uv = (in.uv - 0.5) * canvas.zoom + 0.5 + canvas.pan;
    var colour = sample_softly(over, cover(uv, in.size, over));
#ifdef CHANGING
    let stroke = textureSampleLevel(wash, smooth_sampler, cover(in.uv, in.size, wash), 0.0).a;
    let painted = smoothstep(stroke * 0.6, stroke * 0.6 + 0.4, canvas.progress);
    colour = mix(sample_softly(under, cover(uv, in.size, under)), colour, painted);
#endif

    // Adds the texture of the canvas, and darkens corners and edges.
    let pixel = vec2<u32>(in.position.xy);
    let weave = select(0.975, 1.0, ((pixel.x ^ pixel.y) & 2u) == 0u);
    let corner = in.uv * (1.0 - in.uv) * 4.0;
    let vignette = 1.0 - canvas.vignette * (1.0 - smoothstep(0.0, 0.55, corner.x * corner.y));
    let edge = max(max(0.0, (in.uv.y - 0.5) * 1.7), (0.12 - in.uv.y) * 5.0);
    let shade = 1.0 - canvas.shade * min(edge, 1.0);
    return vec4(colour * weave * vignette * shade * canvas.brightness, 1.0);
}
