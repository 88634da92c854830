import Checkpoints
import Compute
import Synchronization
import Tensors
import TestSupport
import Testing

@testable import Layers

@Suite("Segments")
struct SegmentTests {
  @Test("A segment holds the parameters that were made while it was built")
  func parameters() {
    let loader = ParameterLoader(RandomSource(seed: 1))
    _ = Linear(loader.root("before"), inputs: 2, outputs: 2)
    let segments = (0..<3).map { index in
      Segment(loader.root("blocks")(index)) { Linear($0, inputs: 2, outputs: 2, usesBias: index != 1) }
    }
    _ = Linear(loader.root("after"), inputs: 2, outputs: 2)
    #expect(
      segments.map { $0.parameters.map(\.key) } == [
        ["blocks.0.weight", "blocks.0.bias"], ["blocks.1.weight"], ["blocks.2.weight", "blocks.2.bias"],
      ])
  }

  @Test("Segments run in order, each on the last one's result", arguments: [RunContext.Paging.keep, .release])
  func order(paging: RunContext.Paging) throws {
    let loader = ParameterLoader(RandomSource(seed: 1))
    let segments = (0..<4).map { index in Segment(loader.root(index)) { _ in index } }
    let trace = try RunContext(paging: paging).run(segments, on: [Int]()) { index, body, trace in
      #expect(index == body)
      return trace + [body]
    }
    #expect(trace == [0, 1, 2, 3])
    let none: [Segment<Int>] = []
    #expect(try RunContext().run(none, on: 7) { _, _, state in state + 1 } == 7)
  }

  @Test("Weights that were paged out are read again with the same values")
  func paging() throws {
    let store = try WeightStore(directory: Fixtures.path("cogvideox-tiny/checkpoint/text_encoder"))
    let loader = ParameterLoader(store)
    let key = "encoder.block.0.layer.1.DenseReluDense"
    let segments = (0..<2).map { _ in
      Segment(loader.root(key)) { Linear($0("wi_0"), inputs: 32, outputs: 64, usesBias: false) }
    }
    let input = Tensor.random([5, 32])
    let expected = segments[0].body(input).floats()
    for _ in 0..<2 {
      try RunContext(paging: .release).run(segments, on: ()) { _, body, _ in
        #expect(body(input).floats() == expected)
      }
    }
  }

  @Test("Errors of a segment end the run")
  func errors() {
    let loader = ParameterLoader(RandomSource(seed: 1))
    let segments = (0..<3).map { index in Segment(loader.root(index)) { _ in index } }
    struct Stop: Error, Equatable { let index: Int }
    #expect(throws: Stop(index: 1)) {
      try RunContext().run(segments, on: ()) { index, _, _ in if index == 1 { throw Stop(index: index) } }
    }
  }

  @Test("Probes reach the observer, and cost nothing without one")
  func probes() {
    let seen = Mutex<[String: [Float]]>([:])
    let context = RunContext { name, tensor in seen.withLock { $0[name] = tensor.floats() } }
    context.probe("layer \(1)", Tensor([1, 2]))
    #expect(seen.withLock { $0 } == ["layer 1": [1, 2]])
    func never() -> Tensor {
      Issue.record("evaluated without an observer")
      return .zeros([1])
    }
    RunContext().probe("unused", never())
  }
}
