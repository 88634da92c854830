import Checkpoints
import Foundation
import Runtime
import Tensors

/// Case `loader`: files of weights that must give recorded tensors, and others that must be refused.
struct LoaderCases {
  let goldens: GoldenSet

  func run(_ golden: GoldenCase, into comparison: inout Comparison) throws {
    let directory = "\(goldens.directory)/loader"
    let cases = try golden.openJSON()
    for (file, note) in (cases["good"]?.object ?? [:]).sorted(by: { $0.key < $1.key }) {
      // The note may go on after the name of the file, to say that names lack the wrapper's prefix.
      guard let words = note.string?.split(separator: " "), let name = words.first else {
        throw golden.failure("does not say what '\(file)' must hold")
      }
      let expected = try SafetensorsReader(path: "\(directory)/\(name)")
      let prefix = words.contains("without") ? "module." : ""
      let actual = try PyTorchReader(path: "\(directory)/\(file)")
      let names = expected.names.map { String($0.dropFirst(prefix.count)) }
      if Set(names) != Set(actual.names) { comparison.fail(file, "holds other names than recorded") }
      for (ours, theirs) in zip(names, expected.names) where actual.contains(ours) {
        let (tensor, wanted) = try (actual.tensor(named: ours), expected.tensor(named: theirs))
        if tensor.dtype != wanted.dtype { comparison.fail("\(file) \(ours)", "has another element type than recorded") }
        comparison.compare("\(file) \(ours)", tensor, wanted, .exact)
      }
    }
    for file in (cases["must_be_refused"]?.object ?? [:]).keys.sorted() {
      do {
        _ = try WeightStore(anyFile: "\(directory)/\(file)")
        comparison.fail(file, "was not refused")
      } catch is any Failure {
        comparison.compare(file, [1], [1])
      }
    }
  }
}
