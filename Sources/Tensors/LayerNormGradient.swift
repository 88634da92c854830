import Compute

/// The backward pass of a layer norm over regions of tokens, as a pass over blocks of rows of one sample and region.
///
/// Parameter gradients are summed within each block and then over blocks in their order, so they do not depend on the
/// number of threads.
struct LayerNormGradient {
  /// `[B, N, D]`, or any `[..., D]` without modulations.
  let input: Tensor
  let weight: Tensor?
  let bias: Tensor?
  let epsilon: Float
  let modulations: [Modulation]

  /// Which gradients somebody needs.
  struct Needs: Sendable {
    let input: Bool
    let weight: Bool
    let bias: Bool
    /// For each modulation.
    let scales: [Bool]
    let shifts: [Bool]
  }

  /// The gradients that were needed.
  struct Result {
    let input: Tensor?
    let weight: Tensor?
    let bias: Tensor?
    let scales: [Tensor?]
    let shifts: [Tensor?]
  }

  private struct Block {
    let rows: Range<Int>
    let sample: Int
    let region: Int?
  }

  private var width: Int { input.shape[-1] }

  /// Rows in blocks that lie within one sample and one region.
  private func blocks() -> [Block] {
    let rows = input.count / width
    guard !modulations.isEmpty else {
      return stride(from: 0, to: rows, by: tokenBlock).map {
        Block(rows: $0..<min(rows, $0 + tokenBlock), sample: 0, region: nil)
      }
    }
    let tokens = input.shape[1]
    var blocks: [Block] = []
    for sample in 0..<input.shape[0] {
      var token = 0
      while token < tokens {
        let region = modulations.firstIndex { $0.tokens.contains(token) }
        var end = token + 1
        while end < tokens, end - token < tokenBlock,
          modulations.firstIndex(where: { $0.tokens.contains(end) }) == region
        {
          end += 1
        }
        blocks.append(Block(rows: sample * tokens + token..<sample * tokens + end, sample: sample, region: region))
        token = end
      }
    }
    return blocks
  }

  func callAsFunction(_ gradient: Tensor, _ needs: Needs) -> Result {
    let width = width
    let blocks = blocks()
    // For each block, sums for weight, bias, scale and shift.
    let sums = Tensor.zeros([max(blocks.count, 1), 4, width])
    let target = needs.input ? Tensor.zeros(input.shape) : nil
    let needsScale = needs.scales.contains(true)
    let needsShift = needs.shifts.contains(true)
    Tensor.withPointers([gradient, input, weight, bias, target, sums] + modulations.map(\.scale)) { pointers in
      // Sound: blocks write disjoint rows of the two tensors made here, which nobody else has seen.
      nonisolated(unsafe) let pointers = pointers
      Workers.forEach(blocks.count) { index in
        let block = blocks[index]
        let sum = UnsafeMutablePointer(mutating: pointers[5]!) + index * 4 * width
        var places = NormSums(
          weight: needs.weight ? sum : nil, bias: needs.bias ? sum + width : nil,
          scale: needsScale && block.region != nil ? sum + 2 * width : nil,
          shift: needsShift && block.region != nil ? sum + 3 * width : nil)
        let scale = block.region.flatMap { pointers[6 + $0] }.map { $0 + block.sample * width }
        for row in block.rows {
          kernels.layer_norm_gradient(
            pointers[4].map { UnsafeMutablePointer(mutating: $0) + row * width }, pointers[0]! + row * width,
            pointers[1]! + row * width, pointers[2], pointers[3], scale, epsilon, &places, width)
        }
      }
    }
    /// The sum of one kind of sum over the blocks that `isIncluded` takes.
    func total(_ kind: Int, _ isIncluded: (Block) -> Bool = { _ in true }) -> Tensor {
      Tensor([width]) { output in
        output.update(repeating: 0, count: width)
        sums.withFloats { sums in
          for (index, block) in blocks.enumerated() where isIncluded(block) {
            kernels.add(output, output, sums + (index * 4 + kind) * width, width)
          }
        }
      }
    }
    func rows(_ kind: Int, _ region: Int) -> Tensor {
      .concatenated(
        (0..<input.shape[0]).map { sample in
          total(kind) { $0.sample == sample && $0.region == region }.reshaped([1, width])
        }, axis: 0)
    }
    return Result(
      input: target, weight: needs.weight ? total(0) : nil, bias: needs.bias ? total(1) : nil,
      scales: needs.scales.enumerated().map { $1 ? rows(2, $0) : nil },
      shifts: needs.shifts.enumerated().map { $1 ? rows(3, $0) : nil })
  }
}
