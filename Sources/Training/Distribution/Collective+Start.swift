import Runtime
import Tensors

extension Collective {
  /// Throws `StoppedTogether`, with `DistributionFailure.unlike`, unless all ranks start from the same weights and settings.
  func checkAlike(_ weights: [(key: String, tensor: Tensor)], _ settings: [String]) throws {
    guard size > 1 else { return }
    var hasher = ContentHasher()
    hasher.update(ContentDigest(ofParts: settings).description)
    for (key, tensor) in weights {
      hasher.update(key)
      let dense = tensor.layout.isDense ? tensor : tensor.gathered()
      let start = dense.layout.offset * dense.dtype.byteCount
      hasher.update(
        UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(dense.storage.bytes)[start..<start + dense.byteCount]))
    }
    let digests = try gathered(hasher.finish().description)
    guard let other = digests.firstIndex(where: { $0 != digests[0] }) else { return }
    let failure = DistributionFailure.unlike(rank: other)
    throw StoppedTogether(status: failure.category.rawValue, failure: isFirst ? failure : nil)
  }
}
