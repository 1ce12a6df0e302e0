//! Linear maps that fit samples.

/// The maps with the least squared error, one for each target: `targets[sample][target]` is about the sum of
/// `maps[target][i] * rows[sample][i]`.
pub(super) fn least_squares(rows: &[Vec<f64>], targets: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let width = rows.first().map_or(0, Vec::len);
    let count = targets.first().map_or(0, Vec::len);
    // The normal equations, with the right sides of all targets.
    let mut equations = vec![vec![0.0; width + count]; width];
    for (row, targets) in rows.iter().zip(targets) {
        for (equation, left) in equations.iter_mut().zip(row) {
            let products = row.iter().chain(targets).map(|right| left * right);
            equation.iter_mut().zip(products).for_each(|(sum, product)| *sum += product);
        }
    }
    for (index, equation) in equations.iter_mut().enumerate() {
        // A small ridge term keeps the equations solvable for any samples.
        equation[index] += 1e-6 * rows.len() as f64;
    }
    // Gauss-Jordan elimination. The matrix is positive definite, so no pivot search is needed.
    for pivot in 0..width {
        let scale = equations[pivot][pivot];
        equations[pivot].iter_mut().for_each(|value| *value /= scale);
        let solved = equations[pivot].clone();
        for (_, equation) in equations.iter_mut().enumerate().filter(|(row, _)| *row != pivot) {
            let share = equation[pivot];
            equation.iter_mut().zip(&solved).for_each(|(value, solved)| *value -= share * solved);
        }
    }
    (0..count).map(|target| equations.iter().map(|row| row[width + target]).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::least_squares;

    #[test]
    fn least_squares_finds_the_planes_through_the_points() {
        let samples = crate::diffusion::noise::noise(3, 1, 20, 2);
        let rows: Vec<Vec<f64>> =
            samples.chunks(2).map(|xy| vec![xy[0].into(), xy[1].into(), 1.0]).collect();
        let planes = [[2.0, -0.5, 0.25], [0.0, 1.0, -3.0]];
        let at = |row: &Vec<f64>, plane: &[f64; 3]| row.iter().zip(plane).map(|(x, a)| x * a).sum();
        let targets: Vec<Vec<f64>> =
            rows.iter().map(|row| planes.iter().map(|plane| at(row, plane)).collect()).collect();
        for (found, expected) in least_squares(&rows, &targets).iter().zip(planes) {
            for (found, expected) in found.iter().zip(expected) {
                assert!((found - expected).abs() < 1e-4, "{found} is not {expected}");
            }
        }
    }
}
