"""What ``npvae COMMAND --help`` says first."""

from __future__ import annotations

TRAIN = """\
Train a variational autoencoder and write a run folder: model.npz, config.json,
history.csv, checkpoint.npz (for --resume), rows.npy (which rows were held out,
by their content), and pictures: loss.png, samples.png, reconstructions.png,
latent.png, interpolation.png; for a table columns.png, and for images in two
latent dimensions manifold.png.

PATH may stand without its --data. With no option it learns the 1,797 embedded
digits of 8 x 8 pixels, in seconds.
A table, .csv or .tsv, may have numbers, flags, counts, categories and missing
cells: each column gets a likelihood of its kind.
An earlier run in the folder is replaced once the new one has finished its first
epoch; of two runs at the same time the second is refused. Ctrl-C keeps the last
finished epoch, and --resume goes on from there as if training had never ended.

Exits with 1 where the model is far worse than the columns' own distributions.

Losses are in nats per example. The training loss is the objective's, and the
validation loss always -ELBO at beta 1: with --beta, --warmup, --free-bits or
another objective the two are not the same quantity."""

EVALUATE = """\
Measure a model on data: the ELBO and its two terms, the log-likelihood by
importance sampling with its errors, the KL's two parts and that of each latent
dimension, how many of these are active, how far reconstructions are off, and
how well codes tell labels, where there are any. Bounds and KLs are means over
the rows, in nats per example. --factors scores how far single dimensions stand
for the factors that made the data.

Rows with fewer than 10 effective samples get a posterior of their own first.

Rows that the model was trained on flatter it. If the source has no test rows,
all rows are taken, those too; --split held-out leaves them out.

--rows-drawn N draws N rows and says how they differ from the data: column by
column, in the associations of columns, to a random forest that is to tell them
from real rows (with scikit-learn), by copies of training rows, and by
values out of range. The same is drawn into drawn_rows.png."""

SAMPLE = """\
Make new examples: z drawn from the prior, and for each z the mean of
p(x given z). For a table they are draws from p(x given z), and a .csv has the
table's own columns, units and labels, however many rows there are.

For a table --given says what is known of each row: a value, a range with .. in
it, or one end of a range; the other columns are drawn from their distribution
given that. --balance draws as many rows of each label of a column."""

RECONSTRUCT = """\
Encode and decode data, at the mean of q(z given x). A picture shows -n rows,
drawn at random, beside what came in; an array (.npy, .csv) has the
reconstructions of all rows, in their order. For a table they have its units and
labels, and missing cells are filled in; with --impute the known ones stay."""

IMPUTE = """\
Fill in the missing cells of a table: each with its mean given what is known of
its row, a label with the likeliest one. The table is written as it is, with all
columns, and known cells keep their text. With --draws M there are M tables of
draws in place of means, for multiple imputation: filled-1.csv, filled-2.csv ..."""

INTERPOLATE = """\
Walk in straight lines through latent space, between the posterior means of
pairs of rows drawn at random, and decode each step. An array (.npy) has the
shape (pairs, steps, columns)."""

TRAVERSE = """\
Change one latent dimension after the other, each alone, from the mean of the
rows' posterior means or from that of --row, and decode each step. An array
(.npy) has the shape (dimensions, steps, columns)."""

ATTRIBUTE = """\
Give rows what others have. The rows of which --has is true have posterior means
that differ, on average, from those of the other rows; -n rows of these, drawn
at random, go that way in latent space, and each step is decoded. At strength 0
they are reconstructed, at strength 1 they have gone the whole difference. Rows
of which the attribute is not known take no part. An array (.npy) has the shape
(rows, steps, columns)."""

LATENT = """\
Draw where the rows lie in latent space: their posterior means, or the first two
principal components of more than two dimensions, coloured by label where the
data have labels. An array (.npy, .csv) has the posterior means of all rows, in
their order, and a .csv the labels too."""

ANOMALIES = """\
Sort rows by how strange they are to the model, and say which columns make them
so. A .csv has every row: its number (counted from 0), its score in nats,
whether it is strange, why, and its own columns; a picture of the same name has
the scores.

The score is -ELBO, or -log p(x) with --method likelihood. Strange is a row that
scores above the quantile 0.99 of the rows that npvae train held out; --quantile
says another, and --contamination takes the strangest share of these rows.

Without a RUN, small robust models are trained on the rows themselves, of which
the strangest 0.05 are held for strange (--contamination says another share). A
score then counts how many spreads a row lies above what is usual."""

VERIFY = """\
Prove every gradient that npvae has, and every identity, against independent
computations. Exits with 1 where one fails."""

INFO = """\
Versions, the kernels and threads that npvae train uses, and the names that its
options take; with RUN, what that run holds."""
