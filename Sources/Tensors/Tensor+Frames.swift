import Compute

// Clips are channels-last here: `[F, H, W, C]`.
extension Tensor {
  /// Means of frames: `[pools, H, W, C]`.
  ///
  /// - Parameter pools: for each frame of the result, the frames it is the mean of.
  func averagedFrames(_ pools: [Range<Int>]) -> Tensor {
    let (node, shape) = (node, shape)
    return totalledFrames(pools) { 1 / Float($0) }.recorded(from: [self]) { gradient, store in
      let zeros = Tensor.zeros([1, shape[1], shape[2], shape[3]])
      let frames = (0..<shape[0]).map { frame in
        pools.indices.filter { pools[$0].contains(frame) }.reduce(zeros) { sum, index in
          sum + gradient.sliced(0, index..<index + 1).scaled(by: 1 / Float(pools[index].count))
        }
      }
      store.add(.concatenated(frames, axis: 0), to: node)
    }
  }

  /// Sums of frames, `[groups, H, W, C]`; not recorded, for backward passes.
  func summedFrames(_ groups: [Range<Int>]) -> Tensor { detached.totalledFrames(groups) { _ in 1 } }

  private func totalledFrames(_ groups: [Range<Int>], _ factor: (Int) -> Float) -> Tensor {
    let size = count / shape[0]
    return Tensor([groups.count, shape[1], shape[2], shape[3]]) { output in
      withFloats { input in
        nonisolated(unsafe) let (input, output) = (input, output)
        for (index, group) in groups.enumerated() {
          let factor = factor(group.count)
          Workers.forEachBlock(of: elementBlock, in: size) { range in
            let target = output + index * size + range.lowerBound
            target.update(repeating: 0, count: range.count)
            for frame in group { kernels.add(target, target, input + frame * size + range.lowerBound, range.count) }
            if factor != 1 { kernels.affine(target, target, factor, 0, range.count) }
          }
        }
      }
    }
  }

  /// Each pixel of a larger clip from the nearest pixel of this one: `[frames, height, width, C]`.
  ///
  /// - Parameter frames: the frame of this clip that each frame of the result shows.
  package func resizedToNearest(frames: [Int], height: Int, width: Int) -> Tensor {
    let (node, shape) = (node, shape)
    let (rows, columns) = (nearestIndices(from: shape[1], to: height), nearestIndices(from: shape[2], to: width))
    let channels = shape[3]
    return Tensor([frames.count, height, width, channels]) { output in
      withFloats { input in
        // Sound: tasks write disjoint lines.
        nonisolated(unsafe) let (input, output) = (input, output)
        Workers.forEachBlock(of: 8, in: frames.count * height) { lines in
          for line in lines {
            let source = input + (frames[line / height] * shape[1] + rows[line % height]) * shape[2] * channels
            let target = output + line * width * channels
            for (place, column) in columns.enumerated() {
              (target + place * channels).update(from: source + column * channels, count: channels)
            }
          }
        }
      }
    }
    .recorded(from: [self]) { gradient, store in
      store.add(gradient.summedToNearest(frames: frames, shape), to: node)
    }
  }

  /// The transpose of `resizedToNearest`: for each pixel of a clip of `shape` the sum of the pixels that show it.
  func summedToNearest(frames: [Int], _ shape: Shape) -> Tensor {
    let (height, width, channels) = (self.shape[1], self.shape[2], shape[3])
    let (rows, columns) = (nearestIndices(from: shape[1], to: height), nearestIndices(from: shape[2], to: width))
    return Tensor(shape) { output in
      withFloats { input in
        // Sound: tasks write disjoint lines, each adding up what shows it in order.
        nonisolated(unsafe) let (input, output) = (input, output)
        Workers.forEach(shape[0] * shape[1]) { line in
          let target = output + line * shape[2] * channels
          target.update(repeating: 0, count: shape[2] * channels)
          for frame in frames.indices where frames[frame] == line / shape[1] {
            for row in rows.indices where rows[row] == line % shape[1] {
              let source = input + (frame * height + row) * width * channels
              for (place, column) in columns.enumerated() {
                kernels.add(
                  target + column * channels, target + column * channels, source + place * channels, channels)
              }
            }
          }
        }
      }
    }
  }
}
