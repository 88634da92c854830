import Backbones
import Compute
import Datasets
import Media
import Tensors

/// Rendered clips of the miniature world as an autoencoder is trained on them; a clip is never shown twice.
package struct MiniaturePixels: SampleSource {
  private let stream: MiniatureStream
  private let format: MiniatureClip.Format

  package init(_ stream: MiniatureStream, _ format: MiniatureClip.Format) {
    self.stream = stream
    self.format = format
  }

  package var digest: String { "\(stream), \(format)" }

  package func sample(at index: Int) throws -> TrainingSample { try samples(at: [index])[0] }

  package func samples(at indices: [Int]) throws -> [TrainingSample] {
    try Workers.mapTasks(indices) { index in
      // Each round shows every condition, in an order of its own.
      let place = stream.place(of: index, .once)
      let pixels = stream.clip(pair: place.pair, member: 0).render(format).pixelTensor()
      return TrainingSample(target: EncodedClip(tensors: ["pixels": pixels]), references: [])
    }
  }
}

extension MiniatureStream.Reuse {
  /// Every clip for one sample.
  fileprivate static let once: MiniatureStream.Reuse = {
    var reuse = MiniatureStream.Reuse()
    (reuse.rounds, reuse.uses) = (1, 1)
    return reuse
  }()
}
