import Checkpoints
import Compute
import Layers
import Media
import Tensors
import TestSupport
import Testing

@testable import Evaluation

/// Seeded weights, with positive variances of the norms.
private struct FlowWeights: ParameterSource {
  private let random = RandomSource(seed: 4)
  var keys: [String] { [] }
  var description: String { random.description }
  func tensor(_ key: String, _ shape: Shape) -> Tensor? {
    random.tensor(key, shape).map { key.hasSuffix("running_var") ? $0.scaled(by: 1, adding: 1) : $0 }
  }
}

@Suite("RAFT")
struct RAFTTests {
  private static func image(seed: UInt64) -> Tensor {
    Tensor.random([1, 128, 136, 3], seed: seed).scaled(by: 40, adding: 128)
  }

  @Test(
    "gates whose weights are cut in three are the published ones on states side by side", arguments: [(1, 5), (5, 1)])
  func gates(height: Int, width: Int) throws {
    let loader = ParameterLoader(RandomSource(seed: 2))
    let gate = SeparableGate(loader.root("gru"), suffix: "1", height: height, width: width)
    let (hidden, context, features) = (
      Tensor.random([1, 6, 7, 128], seed: 1), Tensor.random([1, 6, 7, 128], seed: 2),
      Tensor.random([1, 6, 7, 128], seed: 3)
    )
    func published(_ letter: String, _ state: Tensor, _ activation: Activation) throws -> Tensor {
      func tensor(_ name: String) throws -> Tensor {
        try #require(loader.parameters.first { $0.key == "gru.conv\(letter)1.\(name)" }).tensor
      }
      return Tensor.concatenated([state, context, features], axis: 3)
        .convolved(try tensor("weight"), bias: try tensor("bias"), activation: activation)
    }
    let z = try published("z", hidden, .sigmoid)
    let r = try published("r", hidden, .sigmoid)
    let q = try published("q", r * hidden, .tanh)
    let expected = hidden + z * (q - hidden)
    expectClose(gate(hidden, features, gate.terms(ofContext: context)), expected, absolute: 1e-5)
  }

  @Test("a flow has the image's size, and its steps are shown to the observer")
  func flow() throws {
    let network = RAFT(ParameterLoader(FlowWeights()).root)
    let (first, second) = (Self.image(seed: 1), Self.image(seed: 2))
    let features = network.matchingFeatures(of: first)
    #expect(features.shape == [1, 16, 17, 256])
    let flow = network.flow(from: first, features: features, to: network.matchingFeatures(of: second), iterations: 2)
    #expect(flow.shape == [1, 128, 136, 2] && flow.floats().allSatisfy(\.isFinite))
  }

  @Test("batch norms use the recorded statistics: twice the deviation and mean of doubled sums changes nothing")
  func batchNorm() throws {
    // Doubling the first convolution doubles its sums; doubled statistics take that back.
    struct Doubled: ParameterSource {
      let source = FlowWeights()
      var keys: [String] { [] }
      var description: String { "doubled" }
      func tensor(_ key: String, _ shape: Shape) -> Tensor? {
        let factor: Float =
          switch key {
          case "cnet.conv1.weight", "cnet.conv1.bias", "cnet.norm1.running_mean": 2
          case "cnet.norm1.running_var": 4
          default: 1
          }
        return source.tensor(key, shape)?.scaled(by: factor)
      }
    }
    let image = Self.image(seed: 3).scaled(by: 1 / 128.0, adding: -1)
    func encoded(_ source: any ParameterSource) -> Tensor {
      ResidualEncoder(ParameterLoader(source).root("cnet"), widths: [8, 12, 16], outputs: 10, .batch, unit: .basic)(
        image)
    }
    let (plain, doubled) = (encoded(FlowWeights()), encoded(Doubled()))
    #expect(plain.shape == [1, 16, 17, 10])
    expectClose(doubled, plain, absolute: 2e-4)
  }

  @Test("a file of another network is refused")
  func refusal() {
    #expect(throws: LoadingFailure.self) { try RAFT(file: Fixtures.path("evaluation/amt_s.safetensors")) }
  }
}

@Suite("AMT")
struct AMTTests {
  @Test("weights load from a PyTorch file's state_dict as from safetensors, and a file of another network is refused")
  func loading() throws {
    _ = try AMT(file: Fixtures.path("evaluation/amt_s.safetensors"))
    let failure = #expect(throws: LoadingFailure.self) {
      try AMT(file: Fixtures.path("evaluation/loader/loader_nested.pth"))
    }
    #expect(failure?.missing.isEmpty == false)
  }

  @Test("the frame between two equal ones has their size and stays in 0...1")
  func range() throws {
    let network = try AMT(file: Fixtures.path("evaluation/amt_s.safetensors"))
    let image = Tensor.random([1, 128, 144, 3], seed: 1).scaled(by: 0.5, adding: 0.5).clamped(to: 0...1)
    let middle = network.middleFrame(between: image, and: image)
    #expect(middle.shape == image.shape && middle.floats().allSatisfy { (0...1).contains($0) })
  }
}
