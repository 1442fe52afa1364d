//! Weighted least squares on a few dozen columns: Gram matrix and Cholesky factor.

/// Columns of equal length, one after the other.
pub struct Columns {
    pub rows: usize,
    pub count: usize,
    pub cells: Vec<f64>,
}

impl Columns {
    pub fn new(rows: usize) -> Self {
        Self {
            rows,
            count: 0,
            cells: Vec::new(),
        }
    }

    pub fn push(&mut self, column: &[f64]) {
        debug_assert_eq!(column.len(), self.rows);
        self.cells.extend_from_slice(column);
        self.count += 1;
    }

    pub fn column(&self, at: usize) -> &[f64] {
        &self.cells[at * self.rows..(at + 1) * self.rows]
    }

    /// `X β`.
    pub fn times(&self, beta: &[f64]) -> Vec<f64> {
        let mut sums = vec![0.0; self.rows];
        for (at, factor) in beta.iter().enumerate() {
            for (sum, cell) in sums.iter_mut().zip(self.column(at)) {
                *sum += factor * cell;
            }
        }
        sums
    }

    /// `Xᵀ W X` (its lower triangle, row by row) and `Xᵀ W z`.
    pub fn normal_equations(&self, weights: &[f64], target: &[f64]) -> (Square, Vec<f64>) {
        let mut gram = Square::zero(self.count);
        let mut right = vec![0.0; self.count];
        let mut weighted = vec![0.0; self.rows];
        for (i, right) in right.iter_mut().enumerate() {
            for ((out, cell), weight) in weighted.iter_mut().zip(self.column(i)).zip(weights) {
                *out = cell * weight;
            }
            for j in 0..=i {
                gram.cells[i * self.count + j] = dot(&weighted, self.column(j));
            }
            *right = dot(&weighted, target);
        }
        (gram, right)
    }
}

/// In eight running sums, which the compiler keeps in vector registers.
pub fn dot(a: &[f64], b: &[f64]) -> f64 {
    let (a_blocks, a_rest) = a.as_chunks::<8>();
    let (b_blocks, b_rest) = b.as_chunks::<8>();
    let mut sums = [0.0; 8];
    for (x, y) in a_blocks.iter().zip(b_blocks) {
        for lane in 0..8 {
            sums[lane] += x[lane] * y[lane];
        }
    }
    let rest: f64 = a_rest.iter().zip(b_rest).map(|(x, y)| x * y).sum();
    sums.iter().sum::<f64>() + rest
}

/// A symmetric matrix, of which the lower triangle is kept.
#[derive(Clone)]
pub struct Square {
    pub size: usize,
    pub cells: Vec<f64>,
}

impl Square {
    pub fn zero(size: usize) -> Self {
        Self {
            size,
            cells: vec![0.0; size * size],
        }
    }

    pub fn at(&self, i: usize, j: usize) -> f64 {
        let (i, j) = if i >= j { (i, j) } else { (j, i) };
        self.cells[i * self.size + j]
    }

    /// With something added to the diagonal.
    pub fn plus_diagonal(&self, diagonal: &[f64]) -> Self {
        let mut sum = self.clone();
        for (i, add) in diagonal.iter().enumerate() {
            sum.cells[i * self.size + i] += add;
        }
        sum
    }

    /// The Cholesky factor `L` with `L Lᵀ` this; a pivot that is not positive is lifted to a tiny one.
    pub fn factor(mut self) -> Factor {
        let n = self.size;
        for i in 0..n {
            for j in 0..=i {
                let (row_i, row_j) = (&self.cells[i * n..i * n + j], &self.cells[j * n..j * n + j]);
                let rest = self.cells[i * n + j] - dot(row_i, row_j);
                self.cells[i * n + j] = if i == j {
                    rest.max(1e-10).sqrt()
                } else {
                    rest / self.cells[j * n + j]
                };
            }
        }
        Factor(self)
    }

    /// `βᵀ A β`.
    pub fn quadratic(&self, beta: &[f64]) -> f64 {
        let n = self.size;
        let mut sum = 0.0;
        for i in 0..n {
            let row = &self.cells[i * n..i * n + i];
            sum += beta[i] * (2.0 * dot(row, &beta[..i]) + self.cells[i * n + i] * beta[i]);
        }
        sum
    }
}

pub struct Factor(Square);

impl Factor {
    /// `L⁻¹ b`.
    pub fn forward(&self, right: &[f64]) -> Vec<f64> {
        let n = self.0.size;
        let mut out = right.to_vec();
        for i in 0..n {
            let row = &self.0.cells[i * n..i * n + i];
            out[i] = (out[i] - dot(row, &out[..i])) / self.0.cells[i * n + i];
        }
        out
    }

    /// `(L Lᵀ)⁻¹ b`.
    pub fn solve(&self, right: &[f64]) -> Vec<f64> {
        let n = self.0.size;
        let mut out = self.forward(right);
        for i in (0..n).rev() {
            out[i] /= self.0.cells[i * n + i];
            for j in 0..i {
                out[j] -= self.0.cells[i * n + j] * out[i];
            }
        }
        out
    }

    /// The trace of `(L Lᵀ)⁻¹ G`: the effective number of parameters.
    pub fn trace_with(&self, gram: &Square) -> f64 {
        let n = self.0.size;
        let column = |i: usize| (0..n).map(|j| gram.at(j, i)).collect::<Vec<_>>();
        (0..n).map(|i| self.solve(&column(i))[i]).sum()
    }
}
