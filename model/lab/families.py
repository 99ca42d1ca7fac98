"""Families of behaviour: what a client of each kind does, as a plan of activities.

A family is a function of a random generator and a world (names); it returns the
plan that `traffic client` carries out, or the settings of a real player. All
numbers are drawn here, from ranges wide enough that two clients of a family are
different people on different services. The one idea to know: a family's *class*
(the word in the manifest's notes) says what the use is, and only classes in
STREAMING count as watching while the player plays.
"""

from browsing import browse, maps, scroll, search, web, web_heavy, web_light, web_motion
from listening import audio, podcast, radio, songs
from plans import activity, job, rename, span, split
from talking import (
    call_audio,
    call_steady,
    call_video,
    camera_upload,
    cloud_game,
    code_work,
    conference,
    datagrams,
    game,
    idle,
    idle_phone,
    remote_desktop,
    telemetry,
)
from viewing import autoplay, dash, live, low_rate, progressive, shortform, vod, vod_fixed, youtube_like
from working import app_store, chat, download, drive, gallery, mail, office, sync_down, sync_up, torrent, update

STREAMING = {"vod", "youtube_like", "dash", "progressive", "live", "shortform", "autoplay", "vpn_video", "hls"}


def busy_vod(rng, world, proto, duration):
    """Watching while something else goes on on the same device."""
    main = rng.choice((vod, youtube_like, dash, live))(rng, world, proto, duration)
    return (
        main,
        rng.choice((mail, chat, office, web_light, sync_up, idle_phone, download))(
            rng, world, rng.choice(("h1", "h2")), duration
        )[:1],
    )


def work(rng, world, proto, duration):
    """A desk: documents, mail or chat, songs, now and then a call."""
    beside = rng.choice((mail, chat))(rng, world, proto, duration) + rng.choice((songs, radio, sync_up))(
        rng, world, proto, duration
    )
    if rng.random() < 0.4:
        beside += call_audio(rng, world, proto, duration)
    return rename(office(rng, world, proto, duration), "work"), beside


def web_radio(rng, world, proto, duration):
    """Browsing with music: bursts over a steady or pulsing stream."""
    pages = [a for s in split(rng, duration, 120, 500) for a in [browse(rng, world, s, proto)]]
    return rename(pages, "web_audio"), rng.choice((radio, songs))(rng, world, rng.choice(("h1", "h2")), duration)


def game_chat(rng, world, proto, duration):
    """A game, the voices of friends, and patches of the game in between."""
    beside = call_audio(rng, world, proto, duration)
    if rng.random() < 0.6:
        beside += rename(sync_down(rng, world, proto, duration), "game")
    return game(rng, world, proto, duration), beside


FAMILIES = {
    f.__name__: f
    for f in (
        vod,
        vod_fixed,
        youtube_like,
        low_rate,
        dash,
        progressive,
        live,
        autoplay,
        shortform,
        web_light,
        web,
        web_heavy,
        scroll,
        web_motion,
        maps,
        search,
        mail,
        office,
        chat,
        audio,
        radio,
        songs,
        podcast,
        download,
        update,
        app_store,
        sync_down,
        sync_up,
        drive,
        gallery,
        torrent,
        call_audio,
        call_video,
        call_steady,
        conference,
        datagrams,
        game,
        telemetry,
        camera_upload,
        idle_phone,
        idle,
        remote_desktop,
        code_work,
        cloud_game,
        busy_vod,
        work,
        web_radio,
        game_chat,
    )
}
# real players are started by players.py and need no plan
PLAYERS = ("chromium", "mpv", "ffmpeg", "curl")


def background(rng, world, odds):
    """What devices do by themselves beside their user's activity."""
    if rng.random() >= odds:
        return []
    jobs = [job(world.host("ads"), span(rng, 20, 120), [0.3, 8], up=[0.3, 6], first_s=rng.uniform(1, 30))]
    if rng.random() < 0.5:
        jobs.append(job(world.host("cloud"), [0.5, 5], [0.1, 2], wait_s=[30, 100]))
    return [activity("tasks", "background", rng.choice(("h1", "h2", "h2", "h3")), {"tasks": jobs})]


def plan(family, rng, world, proto, duration, odds=0.5):
    """The plan of one light client. A family gives activities, or a pair: activities and what runs beside them."""
    seed = rng.randrange(1 << 40)
    drawn = FAMILIES[family](rng, world, proto, duration)
    main, beside = drawn if isinstance(drawn, tuple) else (drawn, [])
    return {
        "seed": seed,
        "duration_s": duration,
        "activities": main,
        "background": beside + ([] if family == "idle" else background(rng, world, odds)),
    }


def rename_tunnelled(drawn, vpn):
    """Inside a tunnel every use gets a class of its own: vpn_video or vpn_other."""
    if vpn:
        for one in drawn["activities"]:
            one["class"] = "vpn_video" if one["class"] in STREAMING else "vpn_other"
