import Compute

/// The memory that chunks of a clip take on their way through an autoencoder's layers, found from sizes alone.
///
/// Its operations take and give back blocks in the order of the layers that they are named after.
struct ChunkForecast {
  private var memory = BufferForecast()
  private var isLast = false
  private var frames = 0
  private var height = 0
  private var width = 0
  private var channels = 0
  /// Bytes that the operations in time keep between chunks, in the order in which they run.
  private var kept: [Int] = []
  private var next = 0

  /// The most memory at one time, in bytes.
  var peakBytes: Int { memory.peakBytes }

  private var chunk: Int { bytes(frames, channels) }
  private func bytes(_ frames: Int, _ channels: Int) -> Int { 4 * frames * height * width * channels }

  mutating func begin(frames: Int, height: Int, width: Int, channels: Int, isLast: Bool) {
    (self.frames, self.height, self.width, self.channels) = (frames, height, width, channels)
    (self.isLast, next) = (isLast, 0)
    memory.take(chunk)
  }

  mutating func end() { memory.give(chunk) }

  /// `CausalConv3D`
  mutating func convolve(outputs: Int) {
    keep(frames: 2) { $0.makeConvolved(outputs: outputs) }
    replaceChunk(channels: outputs)
  }

  /// `ResidualBlock`
  mutating func addResidual(outputs: Int) {
    let hidden = bytes(frames, outputs)
    keep(frames: 2) { $0.makeConvolved(outputs: outputs) }
    if outputs != channels {
      memory.take(hidden)
      replaceChunk(channels: outputs)
    }
    keep(frames: 2) { $0.useScratch(outputs: outputs, places: 64) }
    memory.give(hidden)
  }

  /// Attention among the pixels of each frame: normed pixels, queries, keys, values, attended pixels, update and sum.
  mutating func attend() {
    for _ in 0..<7 { memory.take(chunk) }
    for _ in 0..<7 { memory.give(chunk) }
  }

  /// `ResamplingConv2D`
  mutating func resample(outputs: Int, doubles: Bool) {
    let old = chunk
    (height, width) = doubles ? (2 * height, 2 * width) : (height / 2, width / 2)
    memory.take(bytes(frames, outputs))
    useScratch(outputs: outputs, places: 9)
    memory.give(old)
    channels = outputs
  }

  /// `WanTimeConvolution`, to twice or half the frames; the first chunk passes.
  mutating func convolveTime(doubles: Bool) {
    let isFirst = next == kept.count
    keep(frames: doubles ? 2 : 1) { forecast in
      if !isFirst { forecast.makeTimeConvolved(doubles: doubles) }
    }
  }

  private mutating func makeTimeConvolved(doubles: Bool) {
    let (old, window) = (chunk, bytes(frames + (doubles ? 2 : 1), channels))
    let starts = doubles ? frames : frames / 2
    let (taps, frame) = (bytes(3, channels), bytes(1, channels))
    memory.take(window)
    frames = doubles ? 2 * frames : frames / 2
    for _ in 0..<starts {
      memory.take(taps)
      for _ in 0..<frames / starts { memory.take(frame) }
      memory.give(taps)
    }
    memory.take(chunk)
    for _ in 0..<frames { memory.give(frame) }
    memory.give(window)
    memory.give(old)
  }

  // MARK: Parts of operations

  /// Keeps the last frames for the next chunk; those of the chunk before are there until `body` is done.
  private mutating func keep(frames count: Int, during body: (inout ChunkForecast) -> Void) {
    if next == kept.count { kept.append(0) }
    let (old, new) = (kept[next], isLast ? 0 : bytes(count, channels))
    kept[next] = new
    next += 1
    if new > 0 { memory.take(new) }
    body(&self)
    if old > 0 { memory.give(old) }
  }

  private mutating func makeConvolved(outputs: Int) {
    memory.take(bytes(frames, outputs))
    useScratch(outputs: outputs, places: 64)
  }

  private mutating func replaceChunk(channels outputs: Int) {
    memory.give(chunk)
    channels = outputs
  }

  /// The transformed weight of a convolution, with a number of values for each input and output.
  private mutating func useScratch(outputs: Int, places: Int) {
    memory.take(4 * places * channels * outputs)
    memory.give(4 * places * channels * outputs)
  }
}
