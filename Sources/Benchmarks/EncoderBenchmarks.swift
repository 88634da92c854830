import Compute
import Encoders
import Foundation
import Layers
import Tensors

/// The text encoder of the published CogVideoX models, T5 1.1 XXL.
package enum EncoderBenchmarks {
  private static let (tokens, width, hidden) = (226, 4096, 10240)

  /// One layer, with the look-up of embeddings before it and the final norm behind it.
  package static func layer(dtype: DType) -> Benchmark {
    let linear = 2e-9 * Double(tokens * width) * Double(4 * width + 3 * hidden)
    let attention = 4e-9 * Double(tokens * tokens * width)
    return Benchmark(
      name: "T5-XXL layer", detail: "\(tokens) tokens, weights \(dtype.rawValue)",
      work: .arithmetic(gigaflops: linear + attention)
    ) {
      let published = """
        {"model_type": "t5", "vocab_size": 512, "d_model": \(width), "d_kv": 64, "num_heads": 64, "d_ff": \(hidden),
         "num_layers": 1, "feed_forward_proj": "gated-gelu"}
        """
      let configuration = try JSONDecoder().decode(T5EncoderConfiguration.self, from: Data(published.utf8))
      let encoder = T5Encoder(ParameterLoader(RandomSource(seed: 1, dtype: dtype)).root, configuration)
      let ids = [Array(0..<tokens)]
      return { _ = try encoder(ids, context: RunContext()) }
    }
  }
}
