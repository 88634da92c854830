/// How a clip is cut in time: batches of `size` frames, of which the first also takes what is left over.
///
/// Group norms see one batch at a time, so the cut is part of the model: 49 frames are 9, 8, 8, 8, 8, 8.
struct FrameBatches {
  let ranges: [Range<Int>]

  init(frames: Int, size: Int) {
    let rest = frames % size
    let first = frames < size ? frames : size + rest
    ranges = [0..<first] + stride(from: first, to: frames, by: size).map { $0..<$0 + size }
  }
}
