import CFFmpeg

@testable import Media

/// Options that skip damaged frames.
var skipping: ReadingOptions {
  var options = ReadingOptions()
  options.onCorruption = .skip
  return options
}

/// A lossy video of changing pictures, with several frames between two key frames.
func predictedVideo(container: String, frameCount: Int = 24) -> SampleFile {
  var sample = SampleFile(
    container: container, encoder: "mpeg4", pixelFormat: AV_PIX_FMT_YUV420P, size: FrameSize(width: 64, height: 48),
    frameCount: frameCount)
  sample.fill = { frame, index in
    for y in 0..<48 {
      for x in 0..<64 { frame.set(0, x: x, y: y, UInt8((x * 7 + y * 13 + index * 29) & 255)) }
    }
  }
  return sample
}

/// A raw video whose frames carry their own number in four grey pixels.
func numberedVideo(container: String = "nut", frameCount: Int) -> SampleFile {
  var sample = SampleFile(
    container: container, encoder: "rawvideo", pixelFormat: AV_PIX_FMT_GRAY8, size: FrameSize(width: 4, height: 1),
    frameCount: frameCount)
  sample.fill = { frame, index in for x in 0..<4 { frame.set(0, x: x, y: 0, UInt8(index >> (8 * x) & 255)) } }
  return sample
}

func numbers(_ clip: VideoClip) -> [Int] {
  (0..<clip.frameCount).map { frame in
    let pixels = Array(clip.frame(frame))
    return (0..<4).reduce(0) { $0 | Int(pixels[3 * $1]) << (8 * $1) }
  }
}
