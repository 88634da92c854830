import Checkpoints
import Compute
import Encoders
import Layers
import Media
import Tensors
import TestSupport
import Testing
import Tokenizers

@testable import Evaluation

@Suite("Metrics")
struct MetricTests {
  private static func clip(_ width: Int, _ height: Int, frames: Int) -> VideoClip {
    let pixels = (0..<width * height * 3 * frames).map { UInt8(truncatingIfNeeded: $0 &* 7 + $0 / 1000) }
    return VideoClip(size: FrameSize(width: width, height: height), frameRate: .training, pixels: pixels)
  }

  private static func model() throws -> CLIPModel {
    try CLIPModel(file: Fixtures.path("evaluation/clip_b32_tiny.safetensors"))
  }

  @Test("padding repeats the edges and is taken off again; the larger half lies right and below")
  func padding() {
    let clip = Self.clip(5, 3, frames: 2)
    let padding = FramePadding(clip.size, multiple: 8)
    #expect(padding.left == 1 && padding.right == 2 && padding.top == 2 && padding.bottom == 3)
    let image = padding.image(of: 1, in: clip, dividedBy: 2)
    #expect(image.shape == [1, 8, 8, 3])
    let frame = clip.frame(1).map { Float($0) / 2 }
    #expect(padding.unpadded(image).floats() == frame)
    #expect(Array(image.floats().prefix(3)) == Array(frame.prefix(3)))
    #expect(Array(image.floats().suffix(3)) == Array(frame.suffix(3)))
    #expect(FramePadding(FrameSize(width: 16, height: 8), multiple: 8).paddedSize == FrameSize(width: 16, height: 8))
  }

  @Test("the fastest twentieth of pixels makes the speed of a pair")
  func speed() {
    // 100 pixels: five of them move by (3, 4) and (6, 8).
    var flow = [Float](repeating: 0.1, count: 200)
    for pixel in 0..<4 { (flow[2 * pixel * 7], flow[2 * pixel * 7 + 1]) = (3, 4) }
    (flow[180], flow[181]) = (6, -8)
    #expect(DynamicDegree.speed(Tensor(flow, shape: [1, 10, 10, 2])) == 6)
  }

  @Test("clips that are too short or too small for a network are refused; one frame does not move")
  func refusals() throws {
    let amt = MotionSmoothness(try AMT(file: Fixtures.path("evaluation/amt_s.safetensors")))
    #expect(throws: EvaluationFailure.tooFewFrames(metric: "motion smoothness", found: 2, least: 3)) {
      try amt.score(Self.clip(128, 128, frames: 2))
    }
    let small = Self.clip(112, 200, frames: 3)
    #expect(throws: EvaluationFailure.tooSmall(metric: "motion smoothness", size: small.size, least: 112)) {
      try amt.score(small)
    }
    let raft = DynamicDegree(RAFT(ParameterLoader(RandomSource(seed: 1)).root))
    #expect(throws: EvaluationFailure.tooSmall(metric: "dynamic degree", size: small.size, least: 120)) {
      try raft.score(small)
    }
    let still = try raft.score(Self.clip(128, 128, frames: 1))
    #expect(!still.isDynamic && still.pairScores.isEmpty && still.sampledFrames == 1)
  }

  @Test("the aesthetic mark is the head on the embedding of length 1, its images are made by tensors")
  func aesthetics() throws {
    let directory = try TemporaryDirectory()
    let head = directory.file("head.safetensors")
    let weight = Tensor.random([1, 64], seed: 8)
    try SafetensorsWriter.write([("weight", weight), ("bias", Tensor([3.5]))], to: head)
    let model = try Self.model()
    let clip = Self.clip(40, 30, frames: 18)
    let score = try AestheticQuality(model, head: head).score(clip)
    let pixels = CLIPImages.interpolated(clip.selecting([17]), side: 224)
    let embedding = try model.vision.embedding(of: pixels, context: RunContext()).doubles()
    let length = embedding.reduce(0) { $0 + $1 * $1 }.squareRoot()
    let mark = zip(embedding, weight.doubles()).reduce(3.5) { $0 + $1.0 * $1.1 / length }
    #expect(score.marks.count == 18 && abs(score.marks[17] - mark) < 1e-5)
    #expect(abs(score.value - score.marks.reduce(0, +) / 180) < 1e-12)
    let other = Fixtures.path("evaluation/loader/head_zip.pth")
    #expect(throws: EvaluationFailure.otherHead(path: other, inputs: 768, expected: 64)) {
      try AestheticQuality(model, head: other)
    }
  }

  @Test("the CLIP score is the mean cosine times 100; long texts are cut, and a table of another size is refused")
  func clipScore() throws {
    let model = try Self.model()
    let tokenizer = try CLIPTokenizer(file: Fixtures.path("evaluation/bpe_tiny.txt.gz"))
    let metric = try CLIPScore(model, tokenizer)
    let clip = Self.clip(50, 40, frames: 3)
    let score = try metric.score(clip, text: "a horse")
    #expect(score.cosines.count == 3 && abs(score.value - score.cosines.reduce(0, +) / 3 * 100) < 1e-12)
    #expect(score.cosines.allSatisfy { abs($0) <= 1 } && score.droppedTokens == 0)
    let long = try metric.score(clip, text: String(repeating: "a ", count: 100))
    #expect(long.droppedTokens == 25)
    let directory = try TemporaryDirectory()
    let other = try CLIPTokenizer(file: directory.write("#\na b\n", to: "merges.txt"))
    #expect(throws: EvaluationFailure.otherVocabulary(tokens: 515, expected: 1024)) { try CLIPScore(model, other) }
  }

  @Test("a square is cut from the middle, the half pixel of an odd margin to the even side")
  func crops() {
    let crop = CLIPCrop(FrameSize(width: 231, height: 224), side: 224)
    #expect(crop.resized == FrameSize(width: 231, height: 224) && crop.left == 4 && crop.top == 0)
    let clip = Self.clip(231, 224, frames: 2)
    let image = CLIPImages.cropped(clip, side: 224)
    #expect(image.frameCount == 2 && image.size == FrameSize(width: 224, height: 224))
    #expect(Array(image.frame(1).prefix(6)) == Array(clip.frame(1).dropFirst(12).prefix(6)))
  }
}
