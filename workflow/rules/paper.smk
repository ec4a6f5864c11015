# The paper's tables and figures: `snakemake --cores all paper`. Each is remade alone by asking for its file.

PAPER_TABLES = ["main", "similarity", "ablation"]
PAPER_FIGURES = DRAWN


rule paper:
    input:
        expand(
            "results/paper/tables/{table}.{form}",
            table=PAPER_TABLES,
            form=["tsv", "tex", "pdf", "png"],
        ),
        expand(
            "results/paper/figures/{figure}.{form}",
            figure=PAPER_FIGURES,
            form=["pdf", "png"],
        ),
